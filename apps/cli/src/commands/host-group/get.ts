import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHostGroup } from '../../resolve-name.js';
import { describeHostGroup } from './describe-host-group.js';

export const addHostGroupGet: AddVerb = (group, cli) => {
  group
    .command('get')
    .description('Show a host group with its members')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum host-group get rack-7'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.hostGroups.get(await resolveHostGroup(client, nameOrId)), describeHostGroup);
    });
};
