import type { Irreversible, NamedStep, NothingToUndo } from './define-operation.js';

/** The steps of an operation as a plan tells of them. */
export const stepsOfPlan = (steps: readonly NamedStep<never>[]): { name: string; undo: string }[] =>
  steps.map(({ name, step }) => ({ name, undo: wordsOf(step.undo) }));

function wordsOf(undo: NothingToUndo | Irreversible | ((...args: never[]) => unknown)): string {
  if (typeof undo === 'function') return 'taken back';
  return undo.kind === 'nothing' ? `nothing to take back: ${undo.reason}` : `cannot be taken back: ${undo.reason}`;
}
