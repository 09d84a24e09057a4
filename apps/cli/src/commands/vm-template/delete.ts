import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVmTemplate } from '../../resolve-name.js';
import { addTemplateEndOptions, endTemplateVerb, type TemplateEndOptions } from './end-template-verb.js';

export const addVmTemplateDelete: AddVerb = (template, cli) => {
  addTemplateEndOptions(template.command('delete'))
    .description('Delete a template for good; refused while forks of it are there')
    .argument('<template>', 'name or id')
    .addHelpText('after', examples('kvorum vm-template delete web-warm --wait'))
    .action(async (nameOrId: string, options: TemplateEndOptions) => {
      const client = cli.connect();
      const templateId = await resolveVmTemplate(client, nameOrId);
      await endTemplateVerb(cli, client, options, (query, call) => client.vmTemplates.delete(templateId, query, call));
    });
};
