import { InvalidArgumentError } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { resolveStoragePool } from '../../resolve-name.js';
import { describeStoragePool } from './describe-storage-pool.js';

interface UpdateOptions {
  readonly description?: string;
  readonly overcommitRatio?: number;
  readonly trashKeepDays?: number;
}

export const addStoragePoolUpdate: AddVerb = (pool, cli) => {
  pool
    .command('update')
    .description('Change how much a storage pool may promise, and how long it keeps its trash')
    .argument('<pool>', 'name or id')
    .option('--description <text>', 'for people')
    .option('--overcommit-ratio <number>', 'promise so many times what it holds, such as 1.5', parseRatio)
    .option('--trash-keep-days <days>', 'purge what was in the trash for so long', parseCount)
    .addHelpText('after', examples('kvorum storage-pool update fast --overcommit-ratio 1.5 --trash-keep-days 14'))
    .action(async (nameOrId: string, options: UpdateOptions) => {
      const client = cli.connect();
      const { description, overcommitRatio, trashKeepDays } = options;
      const body = given({ description, overcommitRatio, trashKeepDays });
      cli.show(await client.storagePools.update(await resolveStoragePool(client, nameOrId), body), describeStoragePool);
    });
};

function parseRatio(text: string): number {
  if (!/^\d+(\.\d{1,2})?$/.test(text))
    throw new InvalidArgumentError('Give a number with at most two decimals, such as 1.5.');
  return Number(text);
}
