import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { FLOATING_RANGE_COLUMNS } from './describe-floating-range.js';

export const addFloatingRangeList: AddVerb = (range, cli) => {
  addPageOptions(range.command('list'))
    .description('List ranges of floating addresses')
    .action(async (options: PageOptions) => {
      const client = cli.connect();
      cli.showPage(await readPages(options, (bounds) => client.floatingRanges.list(bounds)), FLOATING_RANGE_COLUMNS);
    });
};
