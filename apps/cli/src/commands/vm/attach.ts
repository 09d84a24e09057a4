import type { WebSocket } from 'ws';
import type { AddVerb, Cli } from '../../cli.js';
import { examples } from '../../examples.js';
import { openSocket } from '../../open-socket.js';
import { parseCount } from '../../option-values.js';
import { printable } from '../../printable.js';
import { resolveVm } from '../../resolve-name.js';

/** Ctrl-], as in telnet and virsh: no guest program of note uses it. */
const ESCAPE = 0x1d;
/** The control plane takes 64 KiB in one message. */
const MESSAGE_BYTES_MAX = 16_384;

export const addVmAttach: AddVerb = (vm, cli) => {
  vm.command('attach')
    .description("Type on a VM's serial console; Ctrl-] leaves it")
    .argument('<vm>', 'name or id')
    .option('--backlog <bytes>', 'begin with so much of what was printed before; default: 4096', parseCount)
    .addHelpText('after', examples('kvorum vm attach web-1', 'kvorum vm attach web-1 --backlog 0'))
    .addHelpText(
      'after',
      '\nWhat the guest sends goes to your terminal as it is, escape sequences too: attach to guests you trust, and read\nothers with `kvorum vm console`. If the input is no terminal, its end does not end the session; Ctrl-C does.',
    )
    .action(async (nameOrId: string, { backlog }: { readonly backlog?: number }) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const issued = await client.vms.createConsoleToken(vmId, 'serial');
      const socket = await openSocket(client.vms.consoleUrl(issued, backlog));
      if (cli.io.stdin.isTTY === true) cli.note('connected; Ctrl-] leaves');
      const reason = await join(cli, socket);
      cli.note(printable(`the session is over: ${reason}`));
    });
};

/** Joins terminal and socket until either ends, and returns why. */
function join({ io }: Cli, socket: WebSocket): Promise<string> {
  const { stdin, stdout } = io;
  return new Promise((resolve) => {
    const forget = io.onInterrupt(() => socket.close());
    const onInput = (part: Buffer | string): void => {
      const typed = Buffer.from(part as string);
      const escapeAt = stdin.isTTY === true ? typed.indexOf(ESCAPE) : -1;
      const sent = escapeAt < 0 ? typed : typed.subarray(0, escapeAt);
      for (let at = 0; at < sent.length; at += MESSAGE_BYTES_MAX) {
        socket.send(sent.subarray(at, at + MESSAGE_BYTES_MAX), { binary: true });
      }
      if (escapeAt >= 0) socket.close();
    };
    socket.on('message', (data: Buffer) => stdout.write(data));
    socket.on('close', (_code, reason) => {
      stdin.off('data', onInput).pause();
      stdin.setRawMode?.(false);
      forget();
      resolve(reason.toString() || 'left');
    });
    // In a raw terminal Ctrl-C and all others go to the guest.
    stdin.setRawMode?.(true);
    stdin.on('data', onInput).resume();
    socket.resume();
  });
}
