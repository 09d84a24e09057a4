import type { DrainPlan } from '@kvorum/client';
import { endWithOperation } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { formatTable } from '../../print-table.js';
import { resolveHost } from '../../resolve-name.js';
import { describeExecuted } from '../placement/describe-executed.js';
import { formatMoves } from '../placement/format-moves.js';
import { addPlanOptions, type PlanOptions, requireOneWay } from '../placement/plan-options.js';

export const addHostDrain: AddVerb = (host, cli) => {
  addPlanOptions(host.command('drain'))
    .description('Empty a host, or name what keeps it from being emptied')
    .argument('<host>', 'name or id')
    .option('--max-moves <count>', 'at most so many moves', parseCount)
    .addHelpText('after', examples('kvorum host drain host-a --plan', 'kvorum host drain host-a --execute --wait'))
    .action(async (nameOrId: string, options: PlanOptions & { maxMoves?: number }) => {
      const way = requireOneWay(options);
      const client = cli.connect();
      const hostId = await resolveHost(client, nameOrId);
      const body = given({ moveCountMax: options.maxMoves });
      if (way === 'plan') return cli.showText(await client.hosts.planDrain(hostId, body), formatDrainPlan);
      const accepted = await client.hosts.drain(hostId, body);
      await endWithOperation(cli, client, accepted, options, (operation) => cli.show(operation, describeExecuted));
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
