import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveVmGroup } from '../../resolve-name.js';
import { describeVmGroup } from './describe-vm-group.js';
import { addRuleOptions, type RuleOptions, rulesOf } from './rule-options.js';

interface UpdateOptions extends RuleOptions {
  readonly name?: string;
  readonly description?: string;
}

export const addVmGroupUpdate: AddVerb = (group, cli) => {
  addRuleOptions(group.command('update'))
    .description('Change a VM group. Rules that are given are all that it has from then on.')
    .argument('<group>', 'name or id')
    .option('--name <name>', 'a DNS label')
    .option('--description <text>', 'for people')
    .addHelpText('after', examples('kvorum vm-group update web --rule anti-affinity:host --rule spread:rack:2'))
    .action(async (nameOrId: string, options: UpdateOptions) => {
      const client = cli.connect();
      const { name, description } = options;
      const body = given({ name, description, rules: rulesOf(options) });
      const groupId = await resolveVmGroup(client, nameOrId);
      cli.show(await client.vmGroups.update(groupId, body), describeVmGroup);
    });
};
