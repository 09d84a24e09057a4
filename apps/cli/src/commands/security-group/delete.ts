import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveSecurityGroup } from '../../resolve-name.js';

export const addSecurityGroupDelete: AddVerb = (group, cli) => {
  group
    .command('delete')
    .description('Delete a security group that no port has and no other names')
    .argument('<group>', 'name or id')
    .addHelpText('after', examples('kvorum security-group delete web'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.securityGroups.delete(await resolveSecurityGroup(client, nameOrId));
      cli.note(`deleted security group ${nameOrId}`);
    });
};
