import { setTimeout as sleep } from 'node:timers/promises';
import type { Progress, StepState, StoredError } from '@kvorum/schema';
import type { Logger } from '../control-plane.js';
import { type Database, type Tx, withTransaction } from '../database/database.js';
import { isDatabaseUnavailable } from '../database/database-errors.js';
import { type Backoff, backoffMs } from './backoff.js';
import type { OperationView } from './decide-next.js';
import type { Json, OperationDefinition, StepContext } from './define-operation.js';
import type { HeldLease } from './lease-keeper.js';
import { LeaseLost } from './lease-lost.js';
import type { Claim, Lease } from './operation-lease.store.js';
import type { OperationWithSteps } from './operation-row.js';
import { type Held, type StepAt, writeProgress } from './operation-step.store.js';
import { nextProgress, PROGRESS_PERIOD_MS, progressOf } from './progress.js';

// biome-ignore lint/suspicious/noExplicitAny: inputs and outputs were checked when the definition was built; here they are JSON.
export type AnyDefinition<Services> = OperationDefinition<any, Services>;

/** PostgreSQL restarts within seconds; a fresh connection costs little, so it is asked for often. */
const DATABASE_BACKOFF: Backoff = { delayMsMin: 100, delayMsMax: 1_000 };

interface RunStep extends StepAt {
  state: StepState;
  attempt: number;
  readonly canUndo: boolean;
}

/** One claimed operation in the hands of a worker: what its rows say, kept in step with every write. */
export class OperationRun<Services> implements Held {
  readonly row: OperationWithSteps;
  readonly steps: readonly RunStep[];
  readonly heldLease: HeldLease;
  lease: Lease;
  state: 'running' | 'unwinding';
  /** Why it unwinds. */
  cause: StoredError | null;
  isCancelRequested: boolean;
  /** Of the way it goes, by `performance.now()`. */
  deadlineAtMs: number;

  readonly #database: Database;
  readonly #log: Logger;
  readonly #input: Json;
  readonly #outputs: Map<number, Json>;
  #progress: Progress = progressOf('');
  #progressAtMs = 0;
  #progressWrite: Promise<void> | null = null;

  constructor(
    parts: { readonly database: Database; readonly log: Logger },
    claim: Claim,
    heldLease: HeldLease,
    claimedAtMs: number,
  ) {
    this.#database = parts.database;
    this.#log = parts.log;
    this.#input = claim.input;
    this.#outputs = new Map(claim.outputs);
    this.row = claim.row;
    this.lease = claim.lease;
    this.heldLease = heldLease;
    this.state = claim.row.unwindCause === null ? 'running' : 'unwinding';
    this.cause = claim.row.unwindCause as StoredError | null;
    this.isCancelRequested = claim.row.cancelRequestedAt !== null;
    this.deadlineAtMs = claimedAtMs + (this.state === 'running' ? claim.remainingMs : claim.unwindRemainingMs);
    this.steps = claim.row.steps.map(({ index, name, state, attempt, canUndo }) => ({
      index,
      name,
      state: state as StepState,
      attempt,
      canUndo,
    }));
  }

  view(): OperationView {
    return {
      state: this.state,
      steps: this.steps,
      isCancelRequested: this.isCancelRequested || this.heldLease.cancelled.aborted,
      isPastDeadline: performance.now() >= this.deadlineAtMs,
    };
  }

  /** True if the definition has the steps that the rows were made from; a release may have changed them. */
  matches(definition: AnyDefinition<Services>): boolean {
    return (
      definition.steps.length === this.steps.length &&
      definition.steps.every((named, index) => named.name === this.steps[index]?.name)
    );
  }

  /** Outputs of finished steps below `stepCount`, by name. */
  outputsBefore(stepCount: number): Record<string, Json | undefined> {
    const outputs: Record<string, Json | undefined> = {};
    for (const step of this.steps.slice(0, stepCount)) {
      const output = this.#outputs.get(step.index);
      if (output !== undefined) outputs[step.name] = output;
    }
    return outputs;
  }

  get input(): Json {
    return this.#input;
  }

  keepOutput(index: number, output: Json | undefined): void {
    if (output !== undefined) this.#outputs.set(index, output);
  }

  turnRound(lease: Lease, cause: StoredError): void {
    this.lease = lease;
    this.state = 'unwinding';
    this.cause = cause;
    this.deadlineAtMs = performance.now() + this.row.unwindDeadlineMs;
  }

  /** What a step is called with; `outputCount`: how many steps' outputs it may see. */
  contextFor(
    services: Services,
    outputCount: number,
    signal: AbortSignal,
  ): StepContext<Json, Record<string, Json | undefined>, Services> {
    return {
      operationId: this.row.id,
      fencingToken: this.lease.token,
      input: this.#input,
      outputs: this.outputsBefore(outputCount),
      services,
      signal,
      remainingMs: () => Math.max(0, this.deadlineAtMs - performance.now()),
      reportProgress: (reported) => {
        if (!signal.aborted) this.#reportProgress(reported);
      },
    };
  }

  startPhase(name: string): Progress {
    this.#progress = progressOf(name);
    this.#progressAtMs = performance.now();
    return this.#progress;
  }

  #reportProgress(reported: Partial<Progress>): void {
    const nowMs = performance.now();
    if (this.#progressWrite !== null || nowMs - this.#progressAtMs < PROGRESS_PERIOD_MS) return;
    this.#progress = nextProgress(this.#progress, reported, nowMs - this.#progressAtMs);
    this.#progressAtMs = nowMs;
    const progress = this.#progress;
    this.#progressWrite = withTransaction(this.#database, (tx) => writeProgress(tx, this, progress))
      .catch((error: unknown) => this.#log.debug({ err: error, operationId: this.row.id }, 'progress was not written'))
      .finally(() => {
        this.#progressWrite = null;
      });
  }

  /**
   * Writes what happened, in one transaction. An unreachable database is waited for as long as the lease is believed in:
   * the work is done and must not be lost for a restart of PostgreSQL. Repeating is safe, for each write is guarded by the
   * token and sets the same values; one that changed the token or ended the operation finds no row and loses the lease.
   */
  async persist<Result>(write: (tx: Tx) => Promise<Result>): Promise<Result> {
    // A progress that is still being written must not come after the next step's beginning.
    await this.#progressWrite;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await withTransaction(this.#database, write);
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
        if (this.heldLease.lost.aborted) throw new LeaseLost(this.row.id);
        this.#log.warn({ err: error, operationId: this.row.id }, 'the database is unreachable; trying again');
        const delayMs = backoffMs(attempt, Math.random(), DATABASE_BACKOFF);
        await sleep(delayMs, undefined, { signal: this.heldLease.lost }).catch(() => {});
      }
    }
  }
}
