import type { RebalancePlan } from '@kvorum/client';
import { Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { formatFields } from '../../print-table.js';
import { usageError } from '../../usage-error.js';
import { formatMoves } from '../placement/format-moves.js';

interface RebalanceOptions {
  readonly plan?: boolean;
  readonly goal: 'even' | 'empty-hosts';
  readonly maxMoves?: number;
}

export const addRebalance: AddVerb = (program, cli) => {
  program
    .command('rebalance')
    .description('Plan moves that make the fleet even, or empty hosts of it')
    .option('--plan', 'a dry run: show the moves; needed, for moves cannot be carried out yet')
    .addOption(new Option('--goal <goal>', 'what to reach').choices(['even', 'empty-hosts']).default('even'))
    .option('--max-moves <count>', 'at most so many moves; default: 50', parseCount)
    .addHelpText('after', examples('kvorum rebalance --plan --goal empty-hosts'))
    .action(async ({ plan, goal, maxMoves }: RebalanceOptions) => {
      if (plan !== true) throw usageError('VMs cannot be moved yet, so only a plan can be shown', 'Add --plan.');
      const answer = await cli.connect().hosts.planRebalance({ goal, ...given({ moveCountMax: maxMoves }) });
      cli.showText(answer, formatRebalancePlan);
    });
};

const formatRebalancePlan = (plan: RebalancePlan, head: (text: string) => string): string => {
  if (plan.outcome === 'good-enough') return `nothing to move: ${plan.reason}\n`;
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const state = ({ fullestShare, emptiestShare, emptyHostCount }: RebalancePlan['before']): string =>
    `fullest ${percent(fullestShare)}, emptiest ${percent(emptiestShare)}, ${emptyHostCount} hosts empty`;
  const fields = formatFields(
    [
      ['now', state(plan.before)],
      ['afterwards', state(plan.after)],
    ],
    head,
  );
  return `${fields}\n${formatMoves(plan, head)}`;
};
