import type { DrainPlan } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { formatTable } from '../../print-table.js';
import { resolveHost } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';
import { formatMoves } from '../placement/format-moves.js';

export const addHostDrain: AddVerb = (host, cli) => {
  host
    .command('drain')
    .description('Plan how to empty a host, or name what keeps it from being emptied')
    .argument('<host>', 'name or id')
    .option('--plan', 'a dry run: show the moves; needed, for moves cannot be carried out yet')
    .option('--max-moves <count>', 'at most so many moves', parseCount)
    .addHelpText('after', examples('kvorum host drain host-a --plan'))
    .action(async (nameOrId: string, options: { plan?: boolean; maxMoves?: number }) => {
      if (options.plan !== true) {
        throw usageError(
          'VMs cannot be moved yet, so only a plan can be shown',
          'Add --plan; to stop new VMs: host cordon.',
        );
      }
      const client = cli.connect();
      const hostId = await resolveHost(client, nameOrId);
      cli.showText(await client.hosts.planDrain(hostId, given({ moveCountMax: options.maxMoves })), formatDrainPlan);
    });
};

const formatDrainPlan = (plan: DrainPlan, head: (text: string) => string): string => {
  if (plan.outcome === 'nothing-to-do') return 'the host has no VMs\n';
  if (plan.outcome === 'plan') return formatMoves(plan, head);
  const word = plan.isProven ? 'cannot be emptied' : 'no way to empty it was found';
  return `${word}\n\n${formatTable(
    plan.blockers,
    [
      { title: 'VM', of: ({ vmName }) => vmName },
      { title: 'WHY', of: ({ reason }) => reason },
    ],
    head,
  )}`;
};
