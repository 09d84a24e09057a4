import type { SimulatedPlacement } from '@kvorum/client';
import { type Command, Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { formatTable } from '../../print-table.js';
import { resolveFlavor, resolveHost, resolveOptional, resolveVmGroup } from '../../resolve-name.js';
import { addDiskOptions, type DiskOptions, disksOf } from '../vm/disk-options.js';
import { addHardwareOptions, type HardwareOptions, hardwareOf } from '../vm/hardware-options.js';

interface SimulateOptions extends HardwareOptions, DiskOptions {
  readonly flavor: string;
  readonly count?: number;
  readonly accelerator?: 'kvm' | 'tcg';
  readonly host?: string;
  readonly group?: string;
  readonly allOrNothing?: boolean;
}

export const addPlacementSimulate: AddVerb = (placement: Command, cli) => {
  addHardwareOptions(addDiskOptions(placement.command('simulate')))
    .description('Say where VMs would go now; nothing is reserved')
    .requiredOption('--flavor <flavor>', 'their size: name or id')
    .option('--count <count>', 'how many of them, at most 100; default: 1', parseCount)
    .addOption(new Option('--accelerator <kind>', 'default: what the host offers').choices(['kvm', 'tcg']))
    .option('--host <host>', 'this host or none: name or id')
    .option('--group <group>', 'as if they were in this VM group: name or id')
    .option('--all-or-nothing', 'place all of them, or say why not')
    .addHelpText(
      'after',
      examples(
        'kvorum placement simulate --flavor small --count 20',
        'kvorum placement simulate --flavor large --cpu-policy dedicated --numa-nodes 2 --huge-pages 2MiB',
      ),
    )
    .action(async (options: SimulateOptions) => {
      const client = cli.connect();
      const flavorId = await resolveFlavor(client, options.flavor);
      const hostId = await resolveOptional(resolveHost, client, options.host);
      const vmGroupId = await resolveOptional(resolveVmGroup, client, options.group);
      const { count, rootDisk: rootDiskBytes, accelerator } = options;
      const hardware = hardwareOf(options, await disksOf(client, options));
      const mode = options.allOrNothing === true ? 'all-or-nothing' : 'best-effort';
      const vm = { flavorId, ...given({ hostId, vmGroupId, count, rootDiskBytes, accelerator, hardware }) };
      cli.showText(await client.placements.simulate({ vms: [vm], mode }), formatSimulation);
    });
};

const formatSimulation = ({ outcome, decisions }: SimulatedPlacement, head: (text: string) => string): string =>
  `${head(outcome)}\n\n${formatTable(
    decisions.map((decision, index) => ({ ...decision, number: index + 1 })),
    [
      { title: 'VM', of: ({ number }) => number },
      { title: 'OUTCOME', of: (decision) => decision.outcome },
      { title: 'HOST', of: ({ chosen }) => chosen?.hostName ?? null },
      { title: 'WHY', of: ({ summary }) => summary },
    ],
    head,
  )}`;
