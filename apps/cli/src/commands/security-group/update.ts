import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveSecurityGroup } from '../../resolve-name.js';
import { describeSecurityGroup } from './describe-security-group.js';
import { addRuleOptions, type RuleOptions, rulesOf } from './rule-options.js';

interface UpdateOptions extends RuleOptions {
  readonly name?: string;
  readonly description?: string;
}

export const addSecurityGroupUpdate: AddVerb = (group, cli) => {
  addRuleOptions(group.command('update'))
    .description('Change a security group. Rules that are given are all that it has from then on.')
    .argument('<group>', 'name or id')
    .option('--name <name>', 'a DNS label')
    .option('--description <text>', 'for people')
    .addHelpText('after', examples('kvorum security-group update web --allow-in tcp:443 --allow-out any'))
    .action(async (nameOrId: string, options: UpdateOptions) => {
      const client = cli.connect();
      const { name, description } = options;
      const body = given({ name, description, rules: await rulesOf(client, options) });
      const groupId = await resolveSecurityGroup(client, nameOrId);
      cli.show(await client.securityGroups.update(groupId, body), describeSecurityGroup);
    });
};
