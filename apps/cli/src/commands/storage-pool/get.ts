import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveStoragePool } from '../../resolve-name.js';
import { describeStoragePool } from './describe-storage-pool.js';

export const addStoragePoolGet: AddVerb = (pool, cli) => {
  pool
    .command('get')
    .description('Show a storage pool: what it can do, its room, and which hosts reach it')
    .argument('<pool>', 'name or id')
    .addHelpText('after', examples('kvorum storage-pool get fast'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.storagePools.get(await resolveStoragePool(client, nameOrId)), describeStoragePool);
    });
};
