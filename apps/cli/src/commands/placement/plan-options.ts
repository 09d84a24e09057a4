import type { Command } from 'commander';
import { usageError } from '../../usage-error.js';

export interface PlanOptions {
  readonly plan?: boolean;
  readonly execute?: boolean;
  readonly wait?: boolean;
}

/** What every verb takes that moves VMs by a plan. */
export const addPlanOptions = (command: Command): Command =>
  command
    .option('--plan', 'a dry run: show the moves')
    .option('--execute', 'carry the plan out; refused while VMs run that would have to move')
    .option('--wait', 'with --execute: until it is done');

/** Neither is the default: who looks must not move, and who moves has looked. */
export function requireOneWay({ plan, execute }: PlanOptions): 'plan' | 'execute' {
  if ((plan === true) !== (execute === true)) return plan === true ? 'plan' : 'execute';
  throw usageError('either the plan is to be shown or carried out', 'Add --plan, or --execute.');
}
