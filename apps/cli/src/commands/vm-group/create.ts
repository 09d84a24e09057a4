import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { describeVmGroup } from './describe-vm-group.js';
import { addRuleOptions, type RuleOptions, requireRules } from './rule-options.js';

interface CreateOptions extends RuleOptions {
  readonly project?: string;
  readonly description?: string;
}

export const addVmGroupCreate: AddVerb = (group, cli) => {
  addRuleOptions(group.command('create'))
    .description('Make a VM group. It has at least one rule.')
    .argument('<name>', 'a DNS label')
    .option('--project <project>', "name or id; default: the token's")
    .option('--description <text>', 'for people')
    .addHelpText(
      'after',
      examples(
        'kvorum vm-group create web --rule anti-affinity:host --rule spread:rack:soft',
        'kvorum vm-group create db --rule affinity:zone --rule anti-affinity:rack',
      ),
    )
    .action(async (name: string, options: CreateOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const rules = requireRules(options);
      const body = { name, rules, ...given({ projectId, description: options.description }) };
      cli.show(await client.vmGroups.create(body), describeVmGroup);
    });
};
