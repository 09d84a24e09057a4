import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';

export const addVmThaw: AddVerb = (vm, cli) => {
  vm.command('thaw')
    .description("Let a guest's file systems go on")
    .argument('<vm>', 'name or id')
    .option('--freeze <id>', 'the freeze it is about; default: whichever there is')
    .addHelpText('after', examples('kvorum vm thaw web-1'))
    .action(async (nameOrId: string, { freeze }: { readonly freeze?: string }) => {
      const client = cli.connect();
      cli.show(await client.vms.thaw(await resolveVm(client, nameOrId), freeze), (thawed) => [
        ['file systems', thawed.fileSystemCount],
        ['held all the time', thawed.wasUnbroken ? 'yes' : 'no'],
      ]);
    });
};
