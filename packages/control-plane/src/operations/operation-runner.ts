import { randomUUID } from 'node:crypto';
import { DomainError, type ErrorCode, type StoredError, toDomainError, toStoredError } from '@kvorum/schema';
import type { Logger } from '../control-plane.js';
import type { Database } from '../database/database.js';
import { isDatabaseUnavailable, toUnavailable } from '../database/database-errors.js';
import { type AttemptBounds, attemptStep } from './attempt-step.js';
import { type Backoff, backoffMs, STEP_BACKOFF } from './backoff.js';
import type { Bell } from './bell.js';
import { decideNext, decideOnFailure, type NextAction } from './decide-next.js';
import type { Json } from './define-operation.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { LeaseLost, WorkerClosing } from './lease-lost.js';
import { claimOperation, giveUpLease } from './operation-lease.store.js';
import { type AnyDefinition, OperationRun } from './operation-run.js';
import {
  beginStep,
  endOperation,
  type FailedStep,
  finishStep,
  parkOperation,
  postponeEnd,
  postponeStep,
  turnToUnwinding,
} from './operation-step.store.js';

export interface ObservedOperation {
  readonly id: string;
  readonly kind: string;
}
export interface ObservedStep {
  readonly index: number;
  readonly name: string;
}

/** Told of each point at which a process may die; awaited. For tests and traces. */
export interface OperationObserver {
  /** The step is recorded as begun and has not run. */
  beforeStep?(operation: ObservedOperation, step: ObservedStep): void | Promise<void>;
  /** The step ran and its result is not recorded. */
  afterRun?(operation: ObservedOperation, step: ObservedStep): void | Promise<void>;
  /** The undo is recorded as begun and has not run. */
  beforeUndo?(operation: ObservedOperation, step: ObservedStep): void | Promise<void>;
  /** The undo ran and is not recorded. */
  afterUndo?(operation: ObservedOperation, step: ObservedStep): void | Promise<void>;
}

export interface RunnerParts<Services> {
  readonly database: Database;
  readonly bell: Pick<Bell, 'ring'>;
  readonly log: Logger;
  readonly definitions: ReadonlyMap<string, AnyDefinition<Services>>;
  readonly services: Services;
  readonly keeper: LeaseKeeper;
  readonly leaseMs: number;
  /** Names this worker in lease_owner. */
  readonly workerName: string;
  readonly observer?: OperationObserver | undefined;
  readonly backoff?: Backoff | undefined;
}

export type WorkOutcome =
  /** Nothing to do for us: ended, stuck, too early, unknown kind, or somebody works on it. */
  | 'refused'
  | 'ended'
  /** A retry comes later. */
  | 'waiting'
  | 'stuck'
  /** Somebody else has taken over. */
  | 'lost'
  /** The worker closes; somebody else goes on. */
  | 'given-up';

/** Steps of settling have no attempt of their own to count; this many count for them. */
const SETTLE_ATTEMPT = 3;

/**
 * Works on one operation until it ends, waits, is stuck or is lost. Knows steps, not VMs: which way to go is decided by
 * decide-next.ts, every write is in operation-step.store.ts.
 */
export class OperationRunner<Services> {
  readonly #parts: RunnerParts<Services>;

  constructor(parts: RunnerParts<Services>) {
    this.#parts = parts;
  }

  async work(operationId: string): Promise<WorkOutcome> {
    const { database, definitions, keeper, leaseMs, log, workerName } = this.#parts;
    const owner = `${workerName}/${randomUUID()}`;
    const claimedAtMs = performance.now();
    const claim = await claimOperation(database, { operationId, owner, leaseMs, kinds: [...definitions.keys()] });
    if (claim === null) return 'refused';
    const heldLease = keeper.hold(operationId, owner, claimedAtMs);
    const run = new OperationRun<Services>({ database, log }, claim, heldLease, claimedAtMs);
    try {
      return await this.#drive(run);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      log.warn({ operationId, kind: run.row.kind }, 'the lease is lost; another worker goes on');
      return 'lost';
    } finally {
      heldLease.release();
    }
  }

  async #drive(run: OperationRun<Services>): Promise<WorkOutcome> {
    const definition = this.#parts.definitions.get(run.row.kind);
    if (definition === undefined || !run.matches(definition)) {
      return this.#park(run, storedOf('bug', 'the steps of this operation are not those of this release'), null);
    }
    for (;;) {
      if (run.heldLease.lost.aborted) return this.#leave(run);
      const outcome = await this.#perform(run, definition, decideNext(run.view()));
      if (outcome !== null) return outcome;
    }
  }

  /** null: go on. */
  #perform(
    run: OperationRun<Services>,
    definition: AnyDefinition<Services>,
    action: NextAction,
  ): Promise<WorkOutcome | null> {
    switch (action.kind) {
      case 'run':
        return this.#runStep(run, definition, action.index);
      case 'undo':
        return this.#undoStep(run, definition, action.index);
      case 'turn':
        return this.#turn(run, storedOf(action.because, TURN_MESSAGES[action.because]), null);
      case 'park':
        return this.#park(run, storedOf(action.because, PARK_MESSAGES[action.because]), null);
      case 'succeed':
        return this.#end(run, definition, 'succeeded');
      case 'end-unwound':
        return this.#end(run, definition, run.cause?.code === 'cancelled' ? 'cancelled' : 'failed');
    }
  }

  async #runStep(
    run: OperationRun<Services>,
    definition: AnyDefinition<Services>,
    index: number,
  ): Promise<WorkOutcome | null> {
    const { observer, services } = this.#parts;
    const { row, step, code } = pick(run, definition, index);
    const begun = await run.persist((tx) => beginStep(tx, run, step, 'running', run.startPhase(step.name)));
    if (!begun) {
      run.isCancelRequested = true;
      return null;
    }
    step.state = 'running';
    step.attempt += 1;
    await observer?.beforeStep?.(row, step);
    const bounds: AttemptBounds = {
      held: run.heldLease,
      deadlineAtMs: run.deadlineAtMs,
      cancel: step.canUndo ? 'ends' : 'ignored',
    };
    const attempt = await attemptStep(
      bounds,
      async (signal): Promise<unknown> => code.run(run.contextFor(services, index, signal)),
    );
    if (attempt.kind === 'interrupted') return this.#leave(run);
    if (attempt.kind === 'failed') return this.#fail(run, { ...step, state: 'failed' }, attempt.thrown);
    await observer?.afterRun?.(row, step);
    // As another worker would read it: what JSON does not carry must not be relied on by the next step either.
    const output = attempt.output === undefined ? undefined : (JSON.parse(JSON.stringify(attempt.output)) as Json);
    await run.persist((tx) => finishStep(tx, run, step, 'done', output));
    run.keepOutput(index, output);
    step.state = 'done';
    return null;
  }

  async #undoStep(
    run: OperationRun<Services>,
    definition: AnyDefinition<Services>,
    index: number,
  ): Promise<WorkOutcome | null> {
    const { observer, services } = this.#parts;
    const { row, step, code } = pick(run, definition, index);
    const { undo } = code;
    if (typeof undo === 'function') {
      await run.persist((tx) => beginStep(tx, run, step, 'undoing', run.startPhase(`undo ${step.name}`)));
      step.attempt = step.state === 'undoing' ? step.attempt + 1 : 1;
      step.state = 'undoing';
      await observer?.beforeUndo?.(row, step);
      const bounds: AttemptBounds = { held: run.heldLease, deadlineAtMs: run.deadlineAtMs, cancel: 'ignored' };
      const attempt = await attemptStep(
        bounds,
        async (signal): Promise<void> => undo(run.contextFor(services, index + 1, signal)),
      );
      if (attempt.kind === 'interrupted') return this.#leave(run);
      if (attempt.kind === 'failed') return this.#fail(run, { ...step, state: 'undoing' }, attempt.thrown);
      await observer?.afterUndo?.(row, step);
    }
    await run.persist((tx) => finishStep(tx, run, step, 'undone', undefined));
    step.state = 'undone';
    return null;
  }

  async #fail(
    run: OperationRun<Services>,
    at: { index: number; name: string; attempt: number; state: 'failed' | 'undoing' },
    thrown: unknown,
  ): Promise<WorkOutcome | null> {
    const error = this.#storedFailure(run, at.name, thrown);
    const failed: FailedStep = { step: at, state: at.state, error };
    const step = run.steps[at.index];
    if (step !== undefined) step.state = at.state;
    switch (decideOnFailure(run.view(), error.code)) {
      case 'retry': {
        const delayMs = backoffMs(at.attempt, Math.random(), this.#parts.backoff ?? STEP_BACKOFF);
        await run.persist((tx) => postponeStep(tx, run, at, { state: at.state, error, delayMs }));
        await this.#parts.bell.ring(run.row.id, { delayMs });
        return 'waiting';
      }
      case 'turn':
        return this.#turn(run, error, failed);
      case 'stop':
        await run.persist((tx) => endOperation(tx, run, { state: 'failed', error }, failed));
        return 'ended';
      case 'park':
        return this.#park(run, error, failed);
    }
  }

  async #turn(run: OperationRun<Services>, cause: StoredError, failed: FailedStep | null): Promise<null> {
    this.#parts.log.info({ operationId: run.row.id, kind: run.row.kind, code: cause.code }, 'operation unwinds');
    run.turnRound(await run.persist((tx) => turnToUnwinding(tx, run, cause, failed)), cause);
    return null;
  }

  async #park(run: OperationRun<Services>, error: StoredError, failed: FailedStep | null): Promise<WorkOutcome> {
    this.#parts.log.error({ operationId: run.row.id, kind: run.row.kind, error }, 'operation is stuck');
    await run.persist((tx) => parkOperation(tx, run, error, failed));
    return 'stuck';
  }

  /** Ends the operation and settles its object in one transaction; if that fails, the failure is treated like a step's. */
  async #end(
    run: OperationRun<Services>,
    definition: AnyDefinition<Services>,
    endState: 'succeeded' | 'failed' | 'cancelled',
  ): Promise<WorkOutcome | null> {
    const outputs = run.outputsBefore(run.steps.length);
    const end = { operationId: run.row.id, input: run.input, outputs, endState };
    const cause = run.cause ?? storedOf('bug', 'an operation unwound without a cause');
    try {
      await run.persist(async (tx) => {
        await endOperation(tx, run, { state: endState, error: endState === 'succeeded' ? null : cause }, null);
        if (endState === 'succeeded') await definition.settle.done(tx, end);
        else await definition.settle.unwound(tx, { ...end, error: cause });
      });
      return 'ended';
    } catch (thrown) {
      if (thrown instanceof LeaseLost) throw thrown;
      const error = this.#storedFailure(run, 'settle', thrown);
      switch (decideOnFailure(run.view(), error.code)) {
        case 'retry': {
          const delayMs = backoffMs(SETTLE_ATTEMPT, Math.random(), this.#parts.backoff ?? STEP_BACKOFF);
          await run.persist((tx) => postponeEnd(tx, run, delayMs));
          await this.#parts.bell.ring(run.row.id, { delayMs });
          return 'waiting';
        }
        case 'turn':
          return this.#turn(run, error, null);
        case 'stop':
          await run.persist((tx) => endOperation(tx, run, { state: 'failed', error }, null));
          return 'ended';
        case 'park':
          return this.#park(run, error, null);
      }
    }
  }

  /** Ends work without concluding anything from it. */
  async #leave(run: OperationRun<Services>): Promise<WorkOutcome> {
    if (!(run.heldLease.lost.reason instanceof WorkerClosing)) return 'lost';
    try {
      await giveUpLease(this.#parts.database, run.lease);
      await this.#parts.bell.ring(run.row.id);
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      this.#parts.log.warn({ err: error, operationId: run.row.id }, 'the lease was not given up; it will lapse');
    }
    return 'given-up';
  }

  #storedFailure(run: OperationRun<Services>, stepName: string, thrown: unknown): StoredError {
    const error = toDomainError(toUnavailable(thrown));
    const fields = { operationId: run.row.id, kind: run.row.kind, step: stepName, code: error.code, err: error };
    if (error.code === 'bug') this.#parts.log.error(fields, 'a step failed in an unforeseen way');
    else this.#parts.log.info(fields, 'a step failed');
    return toStoredError(error);
  }
}

const TURN_MESSAGES = {
  cancelled: 'the operation was cancelled',
  deadline_exceeded: 'the time limit of the operation has passed',
} as const;
const PARK_MESSAGES = {
  ...TURN_MESSAGES,
  deadline_exceeded: 'the time limit has passed, and the operation can neither go on by itself nor back',
  bug: 'the recorded steps contradict each other',
} as const;

const storedOf = (code: ErrorCode, message: string): StoredError => toStoredError(new DomainError(code, message));

function pick<Services>(run: OperationRun<Services>, definition: AnyDefinition<Services>, index: number) {
  const step = run.steps[index];
  const code = definition.steps[index]?.step;
  if (step === undefined || code === undefined) throw new RangeError(`no step ${index} in ${definition.kind}`);
  return { row: { id: run.row.id, kind: run.row.kind }, step, code };
}
