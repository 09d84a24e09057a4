import type { RebalancePlan } from '@kvorum/client';
import { Option } from 'commander';
import { endWithOperation } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { formatFields } from '../../print-table.js';
import { describeExecuted } from './describe-executed.js';
import { formatMoves } from './format-moves.js';
import { addPlanOptions, type PlanOptions, requireOneWay } from './plan-options.js';

interface RebalanceOptions extends PlanOptions {
  readonly goal: 'even' | 'empty-hosts';
  readonly maxMoves?: number;
}

export const addRebalance: AddVerb = (program, cli) => {
  addPlanOptions(program.command('rebalance'))
    .description('Make the fleet even, or empty hosts of it')
    .addOption(new Option('--goal <goal>', 'what to reach').choices(['even', 'empty-hosts']).default('even'))
    .option('--max-moves <count>', 'at most so many moves; default: 50', parseCount)
    .addHelpText('after', examples('kvorum rebalance --plan --goal empty-hosts', 'kvorum rebalance --execute --wait'))
    .action(async (options: RebalanceOptions) => {
      const way = requireOneWay(options);
      const client = cli.connect();
      const body = { goal: options.goal, ...given({ moveCountMax: options.maxMoves }) };
      if (way === 'plan') return cli.showText(await client.hosts.planRebalance(body), formatRebalancePlan);
      const accepted = await client.hosts.rebalance(body);
      await endWithOperation(cli, client, accepted, options, (operation) => cli.show(operation, describeExecuted));
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
