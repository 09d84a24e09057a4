import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveHost, resolveOptional } from '../../resolve-name.js';
import { STORAGE_POOL_COLUMNS } from './describe-storage-pool.js';

interface ListOptions extends PageOptions {
  readonly host?: string;
}

export const addStoragePoolList: AddVerb = (pool, cli) => {
  addPageOptions(pool.command('list'))
    .description('List storage pools, with what they can do and their room')
    .option('--host <host>', 'that this host reaches: name or id')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({ hostId: await resolveOptional(resolveHost, client, options.host) });
      cli.showPage(
        await readPages(options, (page) => client.storagePools.list({ ...filter, ...page })),
        STORAGE_POOL_COLUMNS,
      );
    });
};
