import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVmGroup } from '../../resolve-name.js';

export const addVmGroupDelete: AddVerb = (group, cli) => {
  group
    .command('delete')
    .description('Delete a VM group that no VM is in')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum vm-group delete web'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.vmGroups.delete(await resolveVmGroup(client, nameOrId));
      cli.note(`deleted VM group ${nameOrId}`);
    });
};
