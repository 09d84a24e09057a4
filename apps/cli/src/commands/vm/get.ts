import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { describeVm } from './describe-vm.js';

export const addVmGet: AddVerb = (vm, cli) => {
  vm.command('get')
    .description('Show a VM')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm get web-1', 'kvorum vm get web-1 -o json'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.vms.get(await resolveVm(client, nameOrId)), describeVm);
    });
};
