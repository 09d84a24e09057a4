import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveSecurityGroup } from '../../resolve-name.js';
import { describeSecurityGroup } from './describe-security-group.js';

export const addSecurityGroupGet: AddVerb = (group, cli) => {
  group
    .command('get')
    .description('Show a security group')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum security-group get web'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.securityGroups.get(await resolveSecurityGroup(client, nameOrId)), describeSecurityGroup);
    });
};
