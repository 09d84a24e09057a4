import type { AddVerb } from '../../cli.js';
import { parseDurationMs } from '../../duration.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';

export const addVmFreeze: AddVerb = (vm, cli) => {
  vm.command('freeze')
    .description("Halt the writes of a guest's file systems for a while")
    .argument('<vm>', 'name or id')
    .option('--for <duration>', 'thawed by force after this; default: 10s, at most 1m', parseDurationMs)
    .addHelpText('after', examples('kvorum vm freeze web-1 --for 30s'))
    .action(async (nameOrId: string, options: { readonly for?: number }) => {
      const client = cli.connect();
      cli.show(await client.vms.freeze(await resolveVm(client, nameOrId), options.for), (frozen) => [
        ['freeze', frozen.freezeId],
        ['file systems', frozen.fileSystemCount],
        ['thaws at', frozen.thawsAt],
      ]);
    });
};
