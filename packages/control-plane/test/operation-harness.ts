import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, type ErrorCode, type OperationState, type StoredError } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Logger } from '../src/control-plane.js';
import { type Database, withTransaction } from '../src/database/database.js';
import type { Step } from '../src/operations/define-operation.js';
import { startLeaseKeeper } from '../src/operations/lease-keeper.js';
import { lockOperation, markResumed } from '../src/operations/operation.store.js';
import type { AnyDefinition } from '../src/operations/operation-run.js';
import { type OperationObserver, OperationRunner, type WorkOutcome } from '../src/operations/operation-runner.js';

/**
 * The three proofs of an operation, and that it survives the death of its worker at every point. They drive the real
 * runner on a real database; only the bell is left out, so that nothing depends on when it rings.
 */
export interface ProvedOperation<World extends { readonly database: Database }, Services> {
  readonly definition: AnyDefinition<Services>;
  /** A fresh world in which the operation can be asked for. */
  arrange(): Promise<World>;
  /** Asks for it as the API does; returns the operation's id. */
  request(world: World): Promise<string>;
  services(world: World): Services;
  /** Everything that must be true once it has succeeded: objects, hosts, reservations, quotas. */
  expectDone(world: World): Promise<void>;
  /** Everything that must be true once it has been unwound; nothing may be left over anywhere. */
  expectCleanSlate(world: World): Promise<void>;
  close(world: World): Promise<void>;
  /** Of a worker that is to die: longer where a step takes long, as it has to keep its lease until then. */
  readonly dyingLeaseMs?: number;
}

/** Long enough for a slow machine, short enough to be waited for when a worker has died. */
const LEASE_MS = 400;
/** A worker that is not meant to die must not lose its lease to a pause of the machine. */
const STEADY_LEASE_MS = 30_000;
const ROUNDS_MAX = 500;
const ROUND_PAUSE_MS = 20;
const WITHOUT_PAUSES = { delayMsMin: 1, delayMsMax: 1 };

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

// biome-ignore lint/suspicious/noExplicitAny: wraps the steps of any operation.
type AnyStep = Step<any, any, any, any>;

/** The same operation with every step replaced by what `wrap` makes of it. */
export const wrapSteps = <Services>(
  definition: AnyDefinition<Services>,
  wrap: (step: AnyStep, index: number) => AnyStep,
): AnyDefinition<Services> => ({
  ...definition,
  steps: definition.steps.map(({ name, step }, index) => ({ name, step: wrap(step, index) })),
});

const runTwice = (step: AnyStep): AnyStep => ({
  ...step,
  run: async (context) => {
    await step.run(context);
    return step.run(context);
  },
});

const undoTwice = (step: AnyStep): AnyStep => {
  const { undo } = step;
  if (typeof undo !== 'function') return step;
  return {
    ...step,
    undo: async (context) => {
      await undo(context);
      await undo(context);
    },
  };
};

type FailureMoment = 'before its effect' | 'after its effect';

const failing = (
  step: AnyStep,
  code: ErrorCode,
  moment: FailureMoment,
  timesMax = Number.POSITIVE_INFINITY,
): AnyStep => {
  let failedCount = 0;
  return {
    ...step,
    run: async (context) => {
      if (failedCount >= timesMax) return step.run(context);
      failedCount += 1;
      if (moment === 'after its effect') await step.run(context);
      throw new DomainError(code, 'made to fail by the harness');
    },
  };
};

export interface EndedOperation {
  readonly state: OperationState;
  readonly error: StoredError | null;
}

const readEnd = async (database: Database, id: string): Promise<EndedOperation> => {
  const row = await database.operation.findUniqueOrThrow({ where: { id } });
  return { state: row.state as OperationState, error: row.error as StoredError | null };
};

export interface WorkerOfTest<Services> {
  readonly runner: OperationRunner<Services>;
  /** Dies: no more heartbeats, and nothing it still does is recorded. */
  die(): void;
}

/** A worker without a bell. */
export const makeWorker = <Services>(
  database: Database,
  definition: AnyDefinition<Services>,
  services: Services,
  options: { leaseMs?: number; observer?: OperationObserver | undefined; log?: Logger } = {},
): WorkerOfTest<Services> => {
  const leaseMs = options.leaseMs ?? STEADY_LEASE_MS;
  const log = options.log ?? silent;
  const keeper = startLeaseKeeper({ database, log, leaseMs });
  const runner = new OperationRunner<Services>({
    database,
    bell: { ring: async () => {} },
    log,
    definitions: new Map([[definition.kind, definition]]),
    services,
    keeper,
    leaseMs,
    workerName: `test-${randomUUID()}`,
    observer: options.observer,
    backoff: WITHOUT_PAUSES,
  });
  return { runner, die: () => keeper.close() };
};

/** Works until the operation has ended or is stuck; bounded, so that one that never ends fails the test. */
export async function workToEnd<Services>(
  database: Database,
  worker: WorkerOfTest<Services>,
  operationId: string,
): Promise<EndedOperation> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const outcome: WorkOutcome = await worker.runner.work(operationId);
    if (outcome === 'ended' || outcome === 'stuck') return readEnd(database, operationId);
    const end = await readEnd(database, operationId);
    if (!['queued', 'running', 'unwinding'].includes(end.state)) return end;
    await sleep(ROUND_PAUSE_MS);
  }
  throw new Error(`operation ${operationId} did not end: ${JSON.stringify(await readEnd(database, operationId))}`);
}

export interface DeathPoint {
  readonly at: keyof OperationObserver;
  readonly index: number;
}

/** Lets a worker die at a point: it never comes back from the hook, and its heartbeats stop. */
export function workUntilDeath<Services>(
  database: Database,
  definition: AnyDefinition<Services>,
  services: Services,
  operationId: string,
  point: DeathPoint,
  leaseMs = LEASE_MS,
): Promise<'died' | WorkOutcome> {
  return new Promise((resolve, reject) => {
    const hang = (_: unknown, step: { index: number }): Promise<void> | undefined => {
      if (step.index !== point.index) return undefined;
      worker.die();
      resolve('died');
      return new Promise(() => {});
    };
    const worker: WorkerOfTest<Services> = makeWorker(database, definition, services, {
      leaseMs,
      observer: { [point.at]: hang },
    });
    worker.runner.work(operationId).then(resolve, reject);
  });
}

const resume = (database: Database, operationId: string): Promise<void> =>
  withTransaction(database, async (tx) => {
    const row = await lockOperation(tx, operationId);
    if (row !== null) await markResumed(tx, row);
  });

/** Registers the proofs as tests. */
export function proveOperation<World extends { readonly database: Database }, Services>(
  proved: ProvedOperation<World, Services>,
): void {
  const { definition } = proved;
  const names = definition.steps.map(({ name }) => name);
  const isReversible = (index: number): boolean => {
    const undo = definition.steps[index]?.step.undo;
    return typeof undo === 'function' || undo?.kind === 'nothing';
  };
  const reversible = names.map((name, index) => ({ name, index })).filter(({ index }) => isReversible(index));
  const irreversible = names.map((name, index) => ({ name, index })).filter(({ index }) => !isReversible(index));
  const lastReversible = reversible.at(-1)?.index;
  const moments: FailureMoment[] = ['before its effect', 'after its effect'];

  describe(`${definition.kind}, proved`, () => {
    let world: World;
    const workers: WorkerOfTest<Services>[] = [];
    beforeEach(async () => {
      world = await proved.arrange();
    });
    afterEach(async () => {
      for (const worker of workers.splice(0)) worker.die();
      await proved.close(world);
    });

    const work = async (changed: AnyDefinition<Services>, operationId: string): Promise<EndedOperation> => {
      const worker = makeWorker(world.database, changed, proved.services(world));
      workers.push(worker);
      return workToEnd(world.database, worker, operationId);
    };
    const failAt = (
      index: number,
      code: ErrorCode,
      moment: FailureMoment,
      timesMax?: number,
    ): AnyDefinition<Services> =>
      wrapSteps(definition, (step, at) => (at === index ? failing(step, code, moment, timesMax) : step));
    const expectUnwound = async (end: EndedOperation, state: OperationState, code: ErrorCode): Promise<void> => {
      expect(end).toMatchObject({ state, error: { code } });
      await proved.expectCleanSlate(world);
    };

    it('succeeds', async () => {
      expect(await work(definition, await proved.request(world))).toEqual({ state: 'succeeded', error: null });
      await proved.expectDone(world);
    });

    it('succeeds when each step runs twice', async () => {
      const end = await work(wrapSteps(definition, runTwice), await proved.request(world));
      expect(end).toEqual({ state: 'succeeded', error: null });
      await proved.expectDone(world);
    });

    for (const { name, index } of reversible) {
      for (const moment of moments) {
        it(`leaves a clean slate when ${name} fails ${moment}`, async () => {
          const end = await work(failAt(index, 'host_fault', moment), await proved.request(world));
          await expectUnwound(end, 'failed', 'host_fault');
        });
      }
    }

    for (const { name, index } of irreversible) {
      it(`waits for a person when ${name}, which cannot be undone, fails, and succeeds when resumed`, async () => {
        const operationId = await proved.request(world);
        const end = await work(failAt(index, 'host_fault', 'after its effect'), operationId);
        expect(end).toMatchObject({ state: 'stuck', error: { code: 'host_fault' } });
        await resume(world.database, operationId);
        expect(await work(definition, operationId)).toMatchObject({ state: 'succeeded' });
        await proved.expectDone(world);
      });
    }

    for (const [index, name] of names.entries()) {
      for (const moment of moments) {
        it(`repeats ${name} and succeeds when its answer is lost ${moment}`, async () => {
          const end = await work(failAt(index, 'host_unreachable', moment, 2), await proved.request(world));
          expect(end).toMatchObject({ state: 'succeeded' });
          await proved.expectDone(world);
        });
      }
    }

    if (lastReversible !== undefined) {
      it('leaves a clean slate when each undo runs twice', async () => {
        const broken = wrapSteps(failAt(lastReversible, 'host_fault', 'after its effect'), undoTwice);
        await expectUnwound(await work(broken, await proved.request(world)), 'failed', 'host_fault');
      });
    }

    it('leaves a clean slate when it is cancelled before it begins', async () => {
      const operationId = await proved.request(world);
      await world.database.operation.update({ where: { id: operationId }, data: { cancelRequestedAt: new Date() } });
      await expectUnwound(await work(definition, operationId), 'cancelled', 'cancelled');
    });

    for (const [index, name] of names.entries()) {
      for (const at of ['beforeStep', 'afterRun'] as const) {
        it(`succeeds when its worker dies ${at === 'beforeStep' ? 'before' : 'after'} ${name}`, async () => {
          const operationId = await proved.request(world);
          const services = proved.services(world);
          expect(
            await workUntilDeath(world.database, definition, services, operationId, { at, index }, proved.dyingLeaseMs),
          ).toBe('died');
          expect(await work(definition, operationId)).toMatchObject({ state: 'succeeded' });
          await proved.expectDone(world);
        });
      }
    }

    for (const { name, index } of reversible.filter((step) => hasUndo(definition, step.index))) {
      for (const at of ['beforeUndo', 'afterUndo'] as const) {
        it(`leaves a clean slate when its worker dies ${at === 'beforeUndo' ? 'before' : 'after'} the undo of ${name}`, async () => {
          const operationId = await proved.request(world);
          const services = proved.services(world);
          const broken = failAt(lastReversible ?? index, 'host_fault', 'after its effect');
          expect(
            await workUntilDeath(world.database, broken, services, operationId, { at, index }, proved.dyingLeaseMs),
          ).toBe('died');
          await expectUnwound(await work(broken, operationId), 'failed', 'host_fault');
        });
      }
    }
  });
}

const hasUndo = <Services>(definition: AnyDefinition<Services>, index: number): boolean =>
  typeof definition.steps[index]?.step.undo === 'function';
