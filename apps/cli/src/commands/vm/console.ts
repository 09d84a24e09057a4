import { setTimeout as delay } from 'node:timers/promises';
import type { ConsoleLog, KvorumClient } from '@kvorum/client';
import type { AddVerb, Cli } from '../../cli.js';
import { examples } from '../../examples.js';
import { parseCount } from '../../option-values.js';
import { printable } from '../../printable.js';
import { resolveVm } from '../../resolve-name.js';

interface ConsoleOptions {
  readonly offset?: number;
  readonly follow?: boolean;
}

/** Between two looks at a log that has not grown. */
const FOLLOW_MS = 1000;

export const addVmConsole: AddVerb = (vm, cli) => {
  vm.command('console')
    .description('Print what the guest wrote to its serial console')
    .argument('<vm>', 'name or id')
    .option('--offset <byte>', 'from this byte on; default: the last part', parseCount)
    .option('-f, --follow', 'go on printing until Ctrl-C')
    .addHelpText('after', examples('kvorum vm console web-1 --follow', 'kvorum vm console web-1 --offset 0'))
    .action(async (nameOrId: string, { offset, follow }: ConsoleOptions) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const first = await client.vms.readConsole(vmId, offset ?? null);
      print(cli, first);
      if (follow === true) await followConsole(cli, client, vmId, first.nextOffset);
    });
};

const followConsole = (cli: Cli, client: KvorumClient, vmId: string, from: number): Promise<never> =>
  cli.untilInterrupt('', async (signal) => {
    let offset = from;
    for (;;) {
      const part = await client.vms.readConsole(vmId, offset, { signal });
      if (part.text !== '') print(cli, part);
      if (part.nextOffset >= part.sizeBytes) await delay(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
      offset = part.nextOffset;
    }
  });

function print(cli: Cli, part: ConsoleLog): void {
  if (cli.format === 'json') cli.show(part, () => []);
  else cli.io.stdout.write(printable(part.text, 'lines'));
}
