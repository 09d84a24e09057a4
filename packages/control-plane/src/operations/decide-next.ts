import { ERROR_CATALOGUE, type ErrorCode, type StepState } from '@kvorum/schema';
import { hasIrreversibleBegun } from './operation-row.js';

export interface StepView {
  readonly state: StepState;
  readonly canUndo: boolean;
}

/** All that the decision rests on. */
export interface OperationView {
  readonly state: 'running' | 'unwinding';
  readonly isCancelRequested: boolean;
  /** Of the way it goes now: the deadline while running, the unwind deadline while unwinding. */
  readonly isPastDeadline: boolean;
  readonly steps: readonly StepView[];
}

export type NextAction =
  | { readonly kind: 'run'; readonly index: number }
  | { readonly kind: 'undo'; readonly index: number }
  /** Forward and all steps done. */
  | { readonly kind: 'succeed' }
  /** Begin to unwind. */
  | { readonly kind: 'turn'; readonly because: TurnCode }
  /** Backward and nothing left to undo. */
  | { readonly kind: 'end-unwound' }
  /** Stuck: a person has to decide. */
  | { readonly kind: 'park'; readonly because: TurnCode | 'bug' };

type TurnCode = Extract<ErrorCode, 'cancelled' | 'deadline_exceeded'>;

/** What the runner does next. Pure: the same row and steps lead to the same action on every worker. */
export function decideNext(view: OperationView): NextAction {
  return view.state === 'running' ? decideForward(view) : decideBackward(view);
}

function decideForward(view: OperationView): NextAction {
  // Steps that were undone must not be followed by new ones: such an operation has its state from somewhere else.
  if (view.steps.some(({ state }) => state === 'undoing' || state === 'undone'))
    return { kind: 'park', because: 'bug' };
  const isBound = hasIrreversibleBegun(view.steps);
  if (view.isCancelRequested && !isBound) return { kind: 'turn', because: 'cancelled' };
  const index = view.steps.findIndex(({ state }) => state !== 'done');
  if (index === -1) return { kind: 'succeed' };
  if (view.isPastDeadline) return { kind: isBound ? 'park' : 'turn', because: 'deadline_exceeded' };
  return { kind: 'run', index };
}

function decideBackward(view: OperationView): NextAction {
  if (hasIrreversibleBegun(view.steps)) return { kind: 'park', because: 'bug' };
  const index = view.steps.findLastIndex(({ state }) => state !== 'pending' && state !== 'undone');
  if (index === -1) return { kind: 'end-unwound' };
  return view.isPastDeadline ? { kind: 'park', because: 'deadline_exceeded' } : { kind: 'undo', index };
}

export type FailureAction =
  /** The same step again, after a pause. */
  | 'retry'
  | 'turn'
  /** End as failed without touching anything: a newer intent has taken over. */
  | 'stop'
  | 'park';

/** What the failure of a step, or of its undo, leads to. */
export function decideOnFailure(view: Pick<OperationView, 'state' | 'steps'>, code: ErrorCode): FailureAction {
  const { runner } = ERROR_CATALOGUE[code];
  if (view.state === 'unwinding') return runner === 'retry' ? 'retry' : 'park';
  if (runner === 'retry' || runner === 'stop') return runner;
  // What cannot be undone cannot be unwound either.
  return runner === 'stuck' || hasIrreversibleBegun(view.steps) ? 'park' : 'turn';
}
