import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHostGroup } from '../../resolve-name.js';
import { describeBaseline } from './describe-host-group.js';

export const addHostGroupBaseline: AddVerb = (group, cli) => {
  group
    .command('baseline')
    .description('What every host of the group can give to guests, and the CPU model to choose')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum host-group baseline rack-7'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.hostGroups.cpuBaseline(await resolveHostGroup(client, nameOrId)), describeBaseline);
    });
};
