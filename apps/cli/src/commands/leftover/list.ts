import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveHost, resolveOptional } from '../../resolve-name.js';
import { LEFTOVER_COLUMNS } from './describe-leftover.js';

interface ListOptions extends PageOptions {
  readonly host?: string;
}

export const addLeftoverList: AddVerb = (leftover, cli) => {
  addPageOptions(leftover.command('list'))
    .description('List what hosts have that belongs to nobody')
    .option('--host <host>', 'of this host: name or id')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({ hostId: await resolveOptional(resolveHost, client, options.host) });
      cli.showPage(await readPages(options, (page) => client.leftovers.list({ ...filter, ...page })), LEFTOVER_COLUMNS);
    });
};
