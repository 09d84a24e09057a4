import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { VM_GROUP_COLUMNS } from './describe-vm-group.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
}

export const addVmGroupList: AddVerb = (group, cli) => {
  addPageOptions(group.command('list'))
    .description('List VM groups')
    .option('--project <project>', 'name or id')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({ projectId: await resolveOptional(resolveProject, client, options.project) });
      const page = await readPages(options, (bounds) => client.vmGroups.list({ ...filter, ...bounds }));
      cli.showPage(page, VM_GROUP_COLUMNS);
    });
};
