import type { OperationKind, OperationState, Progress, StoredError } from '@kvorum/schema';
import type { z } from 'zod';
import type { Tx } from '../database/database.js';

/**
 * An operation is a table of steps with `run` and `undo` side by side. What the compiler asks for:
 *
 *  - every step says how it is undone, or why there is nothing to undo (`nothing('…')`), or that it cannot be
 *    (`irreversible('…')`): from the moment such a step has begun, the operation only goes forward, and only further
 *    irreversible steps may follow it;
 *  - outputs of steps are typed and handed on; there is no shared bag. They are stored as JSON, so that another worker
 *    can go on from them.
 *
 * Every `run` and `undo` may be executed twice, or be cut off anywhere and executed again by another process.
 * `settle` runs in the very transaction that ends the operation, so an object is never left behind by its operation.
 */
export interface StepContext<Input, Outputs, Services> {
  readonly operationId: string;
  /** See Intent.fencing_token: grows with each takeover and when unwinding begins. */
  readonly fencingToken: number;
  readonly input: Input;
  /** Outputs of the steps before this one (when undoing: also of this one, if it finished). */
  readonly outputs: Outputs;
  readonly services: Services;
  /** Aborted when the lease is lost, the operation is cancelled or its deadline has passed. */
  readonly signal: AbortSignal;
  /** Time left for this step, in ms; use it to bound calls. */
  remainingMs(): number;
  /** Shown to people who wait. Throttled; losing one does no harm. */
  reportProgress(progress: Partial<Progress>): void;
}

export interface NothingToUndo {
  readonly kind: 'nothing';
  readonly reason: string;
}
export interface Irreversible {
  readonly kind: 'irreversible';
  readonly reason: string;
}
export const nothing = (reason: string): NothingToUndo => ({ kind: 'nothing', reason });
export const irreversible = (reason: string): Irreversible => ({ kind: 'irreversible', reason });

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Step<Input, Outputs, Output, Services> {
  run(context: StepContext<Input, Outputs, Services>): Promise<Output>;
  undo: ((context: StepContext<Input, Outputs, Services>) => Promise<void>) | NothingToUndo | Irreversible;
}

/** Ends of an operation, written in one transaction with the operation's own end. */
export interface Settle<Input, Outputs> {
  done(tx: Tx, end: SettleContext<Input, Outputs>): Promise<void>;
  unwound(tx: Tx, end: SettleContext<Input, Partial<Outputs>> & { readonly error: StoredError }): Promise<void>;
}
export interface SettleContext<Input, Outputs> {
  readonly operationId: string;
  readonly input: Input;
  readonly outputs: Outputs;
  readonly endState: Extract<OperationState, 'succeeded' | 'failed' | 'cancelled'>;
}

export interface NamedStep<Services> {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the builder below has checked the types; the runner sees only JSON.
  readonly step: Step<any, any, any, Services>;
}

export interface OperationDefinition<Input, Services> {
  readonly kind: OperationKind;
  readonly inputShape: z.ZodType<Input>;
  /** From the request to unwinding, in ms. */
  readonly deadlineMs: number;
  /** From the start of unwinding to stuck, in ms. */
  readonly unwindDeadlineMs: number;
  readonly steps: readonly NamedStep<Services>[];
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly settle: Settle<Input, any>;
}

export interface Builder<Input, Outputs, Services> {
  // biome-ignore lint/suspicious/noConfusingVoidType: a step without an output is an async function without a return.
  step<Name extends string, Output extends Json | undefined | void>(
    name: Name,
    step: Step<Input, Outputs, Output, Services>,
  ): Builder<Input, Outputs & { readonly [K in Name]: Output }, Services>;
  settle(settle: Settle<Input, Outputs>): OperationDefinition<Input, Services>;
}

/** Begins a definition: `defineOperation<VmServices>()({ kind, inputShape, … }).step('a', …).step('b', …).settle({…})`. */
export const defineOperation =
  <Services>() =>
  <Input>(head: {
    kind: OperationKind;
    inputShape: z.ZodType<Input>;
    deadlineMs: number;
    unwindDeadlineMs: number;
  }): Builder<Input, Record<never, never>, Services> => {
    const build = <Outputs>(steps: readonly NamedStep<Services>[]): Builder<Input, Outputs, Services> => ({
      step: (name, step) => {
        const before = steps.at(-1)?.step.undo;
        if (typeof before === 'object' && before.kind === 'irreversible') {
          const isIrreversible = typeof step.undo === 'object' && step.undo.kind === 'irreversible';
          if (!isIrreversible) throw new TypeError(`${head.kind}: step ${name} follows an irreversible one but is not`);
        }
        if (steps.some((other) => other.name === name))
          throw new TypeError(`${head.kind}: two steps are called ${name}`);
        return build([...steps, { name, step }]);
      },
      settle: (settle) => ({ ...head, steps, settle }),
    });
    return build([]);
  };
