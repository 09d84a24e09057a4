import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { PROJECT_COLUMNS } from './describe-project.js';

export const addProjectList: AddVerb = (project, cli) => {
  addPageOptions(project.command('list'))
    .description('List projects with what they use of their quotas')
    .action(async (options: PageOptions) => {
      const client = cli.connect();
      cli.showPage(await readPages(options, (page) => client.projects.list(page)), PROJECT_COLUMNS);
    });
};
