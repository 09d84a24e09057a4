import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVmGroup } from '../../resolve-name.js';
import { describeVmGroup } from './describe-vm-group.js';

export const addVmGroupGet: AddVerb = (group, cli) => {
  group
    .command('get')
    .description('Show a VM group, and what its VMs break of its rules')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum vm-group get web'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.vmGroups.get(await resolveVmGroup(client, nameOrId)), describeVmGroup);
    });
};
