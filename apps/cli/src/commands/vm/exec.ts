import { buffer } from 'node:stream/consumers';
import type { AddVerb } from '../../cli.js';
import { parseDurationMs } from '../../duration.js';
import { examples } from '../../examples.js';
import { EXIT_CODES } from '../../exit-code.js';
import { given } from '../../option-values.js';
import { printable } from '../../printable.js';
import { resolveVm } from '../../resolve-name.js';

interface ExecOptions {
  readonly timeout?: number;
  readonly stdin?: true;
}

export const addVmExec: AddVerb = (vm, cli) => {
  vm.command('exec')
    .description('Run a program in the guest, through its QEMU guest agent, and exit as it did')
    .argument('<vm>', 'name or id')
    .argument('<command...>', 'program and arguments, after --; no shell looks at them')
    .option('--timeout <duration>', 'then it is killed; default: 30s, at most 5m', parseDurationMs)
    .option('--stdin', 'hand our standard input on, at most 32 KiB of text')
    .addHelpText(
      'after',
      examples(
        'kvorum vm exec web-1 -- uname -a',
        "kvorum vm exec web-1 --timeout 2m -- sh -c 'apt-get update && df -h'",
      ),
    )
    .action(async (nameOrId: string, command: string[], { timeout: timeoutMs, stdin }: ExecOptions) => {
      const client = cli.connect();
      const input = stdin === true ? (await buffer(cli.io.stdin)).toString() : undefined;
      const vmId = await resolveVm(client, nameOrId);
      const result = await client.vms.exec(vmId, { command, ...given({ timeoutMs, input }) });
      if (cli.format === 'json') cli.show(result, () => []);
      else {
        cli.io.stdout.write(printable(result.stdout, 'lines'));
        cli.io.stderr.write(printable(result.stderr, 'lines'));
        if (result.isTruncated) cli.note('(the guest cut its output off)');
        if (result.hasTimedOut) cli.note('it took too long and was killed');
        else if (result.signal !== null) cli.note(`it was ended by signal ${result.signal}`);
      }
      cli.exitCode = result.exitCode ?? EXIT_CODES.failed.code;
    });
};
