import type { Capacity } from '@kvorum/client';
import { Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { type Field, formatFields } from '../../print-table.js';
import { resolveFlavor } from '../../resolve-name.js';

interface CapacityOptions {
  readonly flavor: string;
  readonly accelerator?: 'kvm' | 'tcg';
  readonly by: 'zone' | 'rack';
}

export const addCapacity: AddVerb = (program, cli) => {
  program
    .command('capacity')
    .description('Say how many more VMs of a flavor fit, by zone or rack')
    .requiredOption('--flavor <flavor>', 'name or id')
    .addOption(new Option('--accelerator <kind>', 'default: any').choices(['kvm', 'tcg']))
    .addOption(new Option('--by <level>', 'by which label of hosts').choices(['zone', 'rack']).default('zone'))
    .addHelpText('after', examples('kvorum capacity --flavor small --by rack'))
    .action(async (options: CapacityOptions) => {
      const client = cli.connect();
      const flavorId = await resolveFlavor(client, options.flavor);
      const query = { flavorId, level: options.by, ...given({ accelerator: options.accelerator }) };
      cli.showText(await client.placements.capacity(query), formatCapacity);
    });
};

const formatCapacity = ({ count, isAtLeast, level, domains }: Capacity, head: (text: string) => string): string =>
  formatFields(
    [
      ['more of them', `${isAtLeast ? 'at least ' : ''}${count}`],
      ...domains.map(
        ({ name, count: ofDomain }): Field => [name === null ? `no ${level}` : `${level} ${name}`, ofDomain],
      ),
    ],
    head,
  );
