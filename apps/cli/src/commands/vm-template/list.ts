import type { VmTemplatesQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveHost, resolveOptional, resolveProject } from '../../resolve-name.js';
import { TEMPLATE_COLUMNS } from './describe-vm-template.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly host?: string;
  readonly state?: NonNullable<VmTemplatesQuery['state']>;
}

export const addVmTemplateList: AddVerb = (template, cli) => {
  addPageOptions(template.command('list'))
    .description('List templates')
    .option('--project <project>', 'name or id')
    .option('--host <host>', 'on this host: name or id')
    .option('--state <state>', 'creating, available, lost or deleting')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const [projectId, hostId] = await Promise.all([
        resolveOptional(resolveProject, client, options.project),
        resolveOptional(resolveHost, client, options.host),
      ]);
      const filter = given({ projectId, hostId, state: options.state });
      const page = await readPages(options, (bounds) => client.vmTemplates.list({ ...filter, ...bounds }));
      cli.showPage(page, TEMPLATE_COLUMNS);
    });
};
