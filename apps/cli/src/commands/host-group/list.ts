import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { HOST_GROUP_COLUMNS } from './describe-host-group.js';

export const addHostGroupList: AddVerb = (group, cli) => {
  addPageOptions(group.command('list'))
    .description('List host groups')
    .action(async (options: PageOptions) => {
      const client = cli.connect();
      cli.showPage(await readPages(options, (page) => client.hostGroups.list(page)), HOST_GROUP_COLUMNS);
    });
};
