import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { FLAVOR_COLUMNS } from './describe-flavor.js';

export const addFlavorList: AddVerb = (flavor, cli) => {
  addPageOptions(flavor.command('list'))
    .description('List flavors')
    .action(async (options: PageOptions) => {
      const client = cli.connect();
      cli.showPage(await readPages(options, (page) => client.flavors.list(page)), FLAVOR_COLUMNS);
    });
};
