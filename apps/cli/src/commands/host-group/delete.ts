import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHostGroup } from '../../resolve-name.js';

export const addHostGroupDelete: AddVerb = (group, cli) => {
  group
    .command('delete')
    .description('Delete a host group that no host is in')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum host-group delete rack-7'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.hostGroups.delete(await resolveHostGroup(client, nameOrId));
      cli.note(`deleted host group ${nameOrId}`);
    });
};
