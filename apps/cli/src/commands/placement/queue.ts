import type { WaitingVm } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { type Column, formatTable } from '../../print-table.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';

export const addPlacementQueue: AddVerb = (placement, cli) => {
  placement
    .command('queue')
    .description('List VMs that wait for room, in the order in which they are tried')
    .option('--project <project>', 'name or id')
    .addHelpText('after', examples('kvorum placement queue', 'kvorum operation cancel <operation>'))
    .action(async (options: { project?: string }) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const queue = await client.placements.queue(given({ projectId }));
      cli.showText(queue, ({ items }, head) =>
        items.length === 0 ? 'no VM waits for room\n' : formatTable(items, COLUMNS, head),
      );
    });
};

const COLUMNS: readonly Column<WaitingVm>[] = [
  { title: 'PLACE', of: ({ position }) => position },
  { title: 'VM', of: ({ vmName }) => vmName },
  { title: 'PRIORITY', of: ({ priority }) => priority },
  { title: 'UNTIL', of: ({ until }) => until },
  { title: 'OPERATION', of: ({ operationId }) => operationId },
  { title: 'WAITS BECAUSE', of: ({ reason }) => reason },
];
