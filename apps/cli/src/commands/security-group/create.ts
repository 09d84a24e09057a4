import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { describeSecurityGroup } from './describe-security-group.js';
import { addRuleOptions, type RuleOptions, rulesOf } from './rule-options.js';

interface CreateOptions extends RuleOptions {
  readonly project?: string;
  readonly description?: string;
}

export const addSecurityGroupCreate: AddVerb = (group, cli) => {
  addRuleOptions(group.command('create'))
    .description('Make a security group. Without rules: everything out, nothing in.')
    .argument('<name>', 'a DNS label')
    .option('--project <project>', "name or id; default: the token's")
    .option('--description <text>', 'for people')
    .addHelpText(
      'after',
      examples(
        'kvorum security-group create web --allow-in tcp:443 --allow-in tcp:22@192.0.2.0/24 --allow-out any',
        'kvorum security-group create db --allow-in tcp:5432@web',
      ),
    )
    .action(async (name: string, options: CreateOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const rules = await rulesOf(client, options);
      const body = { name, ...given({ projectId, description: options.description, rules }) };
      cli.show(await client.securityGroups.create(body), describeSecurityGroup);
    });
};
