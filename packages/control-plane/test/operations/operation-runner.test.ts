import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, newId, type ProjectId, type TokenId } from '@kvorum/schema';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import type { Actor } from '../../src/control-plane.js';
import { cancelOperation } from '../../src/operations/cancel-operation.js';
import { getOperation } from '../../src/operations/get-operation.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import type { OperationObserver } from '../../src/operations/operation-runner.js';
import { resumeOperation } from '../../src/operations/resume-operation.js';
import { unwindOperation } from '../../src/operations/unwind-operation.js';
import { makeWorker, type WorkerOfTest, workToEnd, wrapSteps } from '../operation-harness.js';
import {
  irreversibleToy,
  openToyWorld,
  requestToy,
  settledStates,
  type ToyServices,
  type ToyWorld,
  toyOperation,
} from './toy-operation.js';

const actor: Actor = { tokenId: newId<TokenId>(), tokenName: 'ops', role: 'operator', projectId: null };
const bell = { ring: async () => {}, remind: async () => {}, listen: () => Promise.reject(), close: async () => {} };
/** Short to wait for, long enough for a busy machine to extend it in time. */
const SHORT_LEASE_MS = 2000;
/** Passes while a step is held, and not before that step was reached. */
const SHORT_DEADLINE_MS = 3000;

let shared: TestDatabase;
let world: ToyWorld;
const workers: WorkerOfTest<ToyServices>[] = [];
beforeAll(async () => {
  shared = await createTestDatabase();
});
afterAll(() => shared.drop());
beforeEach(() => {
  world = openToyWorld(shared.url);
});
afterEach(async () => {
  for (const worker of workers.splice(0)) worker.die();
  await world.close();
});

const cp = () => ({ database: world.database, bell });
const workerOf = (
  definition: AnyDefinition<ToyServices>,
  options: { leaseMs?: number; observer?: OperationObserver } = {},
): WorkerOfTest<ToyServices> => {
  const worker = makeWorker(world.database, definition, { host: world.host }, options);
  workers.push(worker);
  return worker;
};
const read = (id: string) => getOperation(cp(), actor, id);
const work = (definition: AnyDefinition<ToyServices>, id: string) =>
  workToEnd(world.database, workerOf(definition), id);
const throwing = (definition: AnyDefinition<ToyServices>, index: number, thrown: unknown): AnyDefinition<ToyServices> =>
  wrapSteps(definition, (step, at) => (at === index ? { ...step, run: () => Promise.reject(thrown) } : step));
const undoThrowing = (definition: AnyDefinition<ToyServices>, index: number, thrown: unknown) =>
  wrapSteps(definition, (step, at) => (at === index ? { ...step, undo: () => Promise.reject(thrown) } : step));

/** Holds a step until its signal is aborted; resolves `entered` when it is there. */
const holdIn = (name: string): { entered: Promise<void>; reasons: unknown[] } => {
  const reasons: unknown[] = [];
  const entered = new Promise<void>((resolve) => {
    world.host.during.set(name, (signal) => {
      resolve();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(new Error('the call was torn down'));
        });
      });
    });
  });
  return { entered, reasons };
};

describe('an operation that is cancelled', () => {
  it('ends its running step, undoes it too, and is settled as cancelled', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    const held = holdIn('run device');
    const working = work(toy, id);
    await held.entered;
    expect((await cancelOperation(cp(), actor, id)).isCancellable).toBe(false);
    expect(await working).toMatchObject({ state: 'cancelled', error: { code: 'cancelled' } });
    expect(held.reasons).toMatchObject([{ code: 'cancelled' }]);
    expect([...world.host.things]).toEqual([]);
    expect(world.host.executions.map((execution) => execution.split('@')[0])).toEqual([
      'run disk',
      'run measure',
      'run device',
      'undo device',
      'undo disk',
    ]);
    expect(await settledStates(world)).toEqual(['cancelled']);
  });

  it('may be cancelled twice, but not once it has ended', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    await cancelOperation(cp(), actor, id);
    await cancelOperation(cp(), actor, id);
    await work(toy, id);
    expect(world.host.executions).toEqual([]);
    expect((await cancelOperation(cp(), actor, id)).state).toBe('cancelled');
    const other = await requestToy(world, toy);
    await work(toy, other);
    await expect(cancelOperation(cp(), actor, other)).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('refuses when a step that cannot be undone has begun, and goes on', async () => {
    const wiping = irreversibleToy();
    const id = await requestToy(world, wiping);
    let entered = (): void => {};
    const wipeEntered = new Promise<void>((resolve) => {
      entered = resolve;
    });
    let proceed = (): void => {};
    world.host.during.set('run wipe', () => {
      entered();
      return new Promise((resolve) => {
        proceed = resolve;
      });
    });
    const working = work(wiping, id);
    await wipeEntered;
    await expect(cancelOperation(cp(), actor, id)).rejects.toMatchObject({ code: 'conflict_state' });
    await expect(unwindOperation(cp(), actor, id)).rejects.toMatchObject({ code: 'conflict_state' });
    expect(await read(id)).toMatchObject({ isCancellable: false });
    proceed();
    expect(await working).toEqual({ state: 'succeeded', error: null });
  });

  it('turns back before the step that cannot be undone when the request came just before it', async () => {
    const wiping = irreversibleToy();
    const id = await requestToy(world, wiping);
    const observer: OperationObserver = {
      afterRun: async (_, step) => {
        if (step.name === 'ensure-disk') await cancelOperation(cp(), actor, id);
      },
    };
    const end = await workToEnd(world.database, workerOf(wiping, { observer }), id);
    expect(end.state).toBe('cancelled');
    expect(world.host.executions.some((execution) => execution.startsWith('run wipe'))).toBe(false);
  });
});

describe('deadlines', () => {
  it('end the running step and unwind', async () => {
    const toy = toyOperation({ deadlineMs: SHORT_DEADLINE_MS });
    const id = await requestToy(world, toy);
    const held = holdIn('run device');
    expect(await work(toy, id)).toMatchObject({ state: 'failed', error: { code: 'deadline_exceeded' } });
    expect(held.reasons).toMatchObject([{ code: 'deadline_exceeded' }]);
    expect([...world.host.things]).toEqual([]);
  });

  it('are enforced on an operation nobody worked on meanwhile', async () => {
    const toy = toyOperation({ deadlineMs: 1 });
    const id = await requestToy(world, toy);
    await sleep(5);
    expect(await work(toy, id)).toMatchObject({ state: 'failed', error: { code: 'deadline_exceeded' } });
    expect(world.host.executions).toEqual([]);
  });

  it('end the retries of a host that does not answer', async () => {
    const toy = toyOperation({ deadlineMs: SHORT_DEADLINE_MS });
    const unreachable = throwing(toy, 2, new DomainError('host_unreachable', 'no answer'));
    const id = await requestToy(world, unreachable);
    expect(await work(unreachable, id)).toMatchObject({ state: 'failed', error: { code: 'deadline_exceeded' } });
    expect((await read(id)).steps[2]?.attempt).toBeGreaterThan(0);
    expect([...world.host.things]).toEqual([]);
  });

  it('leave it to a person once a step that cannot be undone has begun', async () => {
    const wiping = irreversibleToy({ deadlineMs: SHORT_DEADLINE_MS });
    const id = await requestToy(world, wiping);
    holdIn('run wipe');
    expect(await work(wiping, id)).toMatchObject({ state: 'stuck', error: { code: 'deadline_exceeded' } });
    await expect(unwindOperation(cp(), actor, id)).rejects.toMatchObject({ code: 'conflict_state' });
    world.host.during.clear();
    await resumeOperation(cp(), actor, id);
    expect(await work(wiping, id)).toMatchObject({ state: 'succeeded' });
  });

  it('of unwinding make it stuck; resumed, it goes on backwards with a fresh one and keeps its first cause', async () => {
    const toy = toyOperation({ unwindDeadlineMs: 300 });
    const broken = undoThrowing(
      throwing(toy, 2, new DomainError('guest_fault', 'boom')),
      0,
      new DomainError('host_unreachable', 'gone'),
    );
    const id = await requestToy(world, broken);
    const end = await work(broken, id);
    expect(end).toMatchObject({ state: 'stuck', error: { code: 'deadline_exceeded' } });
    expect((await resumeOperation(cp(), actor, id)).state).toBe('unwinding');
    expect(await work(toy, id)).toMatchObject({ state: 'failed', error: { code: 'guest_fault' } });
    expect([...world.host.things]).toEqual([]);
  });
});

describe('failures', () => {
  it('of a stale generation stop it without touching anything', async () => {
    const stale = throwing(toyOperation(), 2, new DomainError('stale_generation', 'a newer intent'));
    const id = await requestToy(world, stale);
    expect(await work(stale, id)).toMatchObject({ state: 'failed', error: { code: 'stale_generation' } });
    expect([...world.host.things]).toEqual(['disk']);
    expect(await settledStates(world)).toEqual([]);
  });

  it('that nobody foresaw make it stuck without showing their text; a person resumes it', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    const end = await work(throwing(toy, 1, new TypeError('secret of the inside')), id);
    expect(end.state).toBe('stuck');
    expect(JSON.stringify(await read(id))).not.toContain('secret of the inside');
    expect(await workerOf(toy).runner.work(id)).toBe('refused');
    expect((await resumeOperation(cp(), actor, id)).state).toBe('running');
    expect(await work(toy, id)).toEqual({ state: 'succeeded', error: null });
  });

  it('of that kind may be unwound by a person instead, and end with what it was stuck on', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    await work(throwing(toy, 1, new TypeError('inside')), id);
    await unwindOperation(cp(), actor, id);
    expect(await work(toy, id)).toMatchObject({ state: 'failed', error: { code: 'bug' } });
    expect([...world.host.things]).toEqual([]);
    await expect(resumeOperation(cp(), actor, id)).rejects.toMatchObject({ code: 'conflict_state' });
    await expect(unwindOperation(cp(), actor, id)).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('of an undo make it stuck, and resuming goes on backwards', async () => {
    const toy = toyOperation();
    const broken = undoThrowing(
      throwing(toy, 2, new DomainError('host_fault', 'a')),
      0,
      new DomainError('host_fault', 'b'),
    );
    const id = await requestToy(world, broken);
    expect(await work(broken, id)).toMatchObject({ state: 'stuck', error: { message: 'b' } });
    await unwindOperation(cp(), actor, id);
    expect(await work(toy, id)).toMatchObject({ state: 'failed', error: { message: 'a' } });
    expect([...world.host.things]).toEqual([]);
  });

  it('of settling roll its end back: stuck, and resumed it is settled once', async () => {
    const toy = toyOperation();
    const unsettled = { ...toy, settle: { ...toy.settle, done: () => Promise.reject(new TypeError('no')) } };
    const id = await requestToy(world, toy);
    expect(await work(unsettled, id)).toMatchObject({ state: 'stuck', error: { code: 'bug' } });
    await resumeOperation(cp(), actor, id);
    expect(await work(toy, id)).toMatchObject({ state: 'succeeded' });
    expect(await settledStates(world)).toEqual(['succeeded']);
  });

  it('to know its steps make it stuck rather than run others', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    expect(await work({ ...toy, steps: toy.steps.slice(1) }, id)).toMatchObject({ state: 'stuck' });
    expect(world.host.executions).toEqual([]);
  });
});

describe('workers', () => {
  it('of which many are woken at once share one operation without running a step twice', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => workerOf(toy).runner.work(id)));
    expect(outcomes.sort()).toEqual(['ended', 'refused', 'refused', 'refused', 'refused', 'refused']);
    expect(world.host.executions).toEqual(['run disk@1', 'run measure@1', 'run device@1']);
  });

  it('keep the lease of a step that takes longer than the lease', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    let proceed = (): void => {};
    world.host.during.set(
      'run device',
      () =>
        new Promise((resolve) => {
          proceed = resolve;
        }),
    );
    const working = workerOf(toy, { leaseMs: SHORT_LEASE_MS }).runner.work(id);
    const second = workerOf(toy);
    for (let look = 0; look < 10; look += 1) {
      await sleep(SHORT_LEASE_MS / 4);
      expect(await second.runner.work(id)).toBe('refused');
    }
    proceed();
    expect(await working).toBe('ended');
  });

  it('that cannot extend the lease abort their step before another worker may begin, and write nothing more', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    const held = holdIn('run device');
    const first = workerOf(toy, { leaseMs: SHORT_LEASE_MS });
    const working = first.runner.work(id);
    await held.entered;
    // As if PostgreSQL could not be reached: somebody else's name is in the row when it is back.
    await world.database.operation.update({ where: { id }, data: { leaseOwner: 'somebody else' } });
    expect(await working).toBe('lost');
    expect(held.reasons).toMatchObject([{ name: 'LeaseLost' }]);
    expect((await read(id)).steps[2]).toMatchObject({ state: 'running', error: null });
  });

  it('are fenced off by a person who unwinds a running operation', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    // Deaf to its signal, as code that waits for a kernel may be.
    let proceed = (): void => {};
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    world.host.during.set('run device', () => {
      entered();
      return new Promise((resolve) => {
        proceed = resolve;
      });
    });
    const deaf = workerOf(toy).runner.work(id);
    await inside;
    expect((await unwindOperation(cp(), actor, id)).state).toBe('unwinding');
    expect(await work(toy, id)).toMatchObject({ state: 'cancelled' });
    proceed();
    expect(await deaf).toBe('lost');
    await sleep(20);
    expect([...world.host.things]).toEqual([]);
    expect(await settledStates(world)).toEqual(['cancelled']);
  });

  it('hand on outputs, input and progress through the rows', async () => {
    const seen: unknown[] = [];
    const toy = wrapSteps(toyOperation(), (step, index) =>
      index !== 2
        ? step
        : {
            ...step,
            run: async (context) => {
              seen.push(context.input, context.outputs, context.remainingMs() > 0);
              return step.run(context);
            },
          },
    );
    const id = await requestToy(world, toy);
    const observer: OperationObserver = {
      afterRun: (_, step) => (step.index === 1 ? new Promise(() => {}) : undefined),
    };
    const first = workerOf(toy, { leaseMs: SHORT_LEASE_MS, observer });
    void first.runner.work(id);
    await expect.poll(async () => (await read(id)).steps[1]?.state).toBe('running');
    first.die();
    expect(await work(toy, id)).toMatchObject({ state: 'succeeded' });
    expect(seen).toEqual([{ objectId: world.objectId }, { 'ensure-disk': { path: `/disks/${world.objectId}` } }, true]);
    expect((await read(id)).progress?.phase).toBe('ensure-device');
  });

  it('tell of every change in the event log', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    await work(toy, id);
    const events = await world.database.event.findMany({ where: { resourceId: id }, orderBy: { seq: 'asc' } });
    const told = events.map(({ type, data }) => {
      const { state, name } = data as { state: string; name?: string };
      return [type.split('.')[1], name, state].filter((part) => part !== undefined).join(' ');
    });
    expect(told).toEqual([
      'state queued',
      'state running',
      'step ensure-disk running',
      'step ensure-disk done',
      'step measure running',
      'step measure done',
      'step ensure-device running',
      'step ensure-device done',
      'state succeeded',
    ]);
  });
});

describe('an actor of another project', () => {
  it('finds no operation to read, cancel, resume or unwind', async () => {
    const id = await requestToy(world, toyOperation());
    const stranger: Actor = { ...actor, projectId: newId<ProjectId>() };
    for (const verb of [getOperation, cancelOperation, resumeOperation, unwindOperation]) {
      await expect(verb(cp(), stranger, id)).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(getOperation(cp(), actor, newId())).rejects.toMatchObject({ code: 'not_found' });
  });
});
