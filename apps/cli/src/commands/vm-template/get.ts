import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVmTemplate } from '../../resolve-name.js';
import { describeTemplate } from './describe-vm-template.js';

export const addVmTemplateGet: AddVerb = (template, cli) => {
  template
    .command('get')
    .description('Show a template')
    .argument('<template>', 'name or id')
    .addHelpText('after', examples('kvorum vm-template get web-warm'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.vmTemplates.get(await resolveVmTemplate(client, nameOrId)), describeTemplate);
    });
};
