import { setTimeout as sleep } from 'node:timers/promises';
import { newId, type TokenId } from '@kvorum/schema';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRedis } from '../../../../scripts/services/redis.mjs';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import { makeScratchFolder } from '../../../../tests/support/scratch-folder.js';
import type { Actor, Logger } from '../../src/control-plane.js';
import type { Bell } from '../../src/operations/bell.js';
import { openBell } from '../../src/operations/bullmq-bell.js';
import { cancelOperation } from '../../src/operations/cancel-operation.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import type { OperationObserver } from '../../src/operations/operation-runner.js';
import { startOperationWorker, type Worker } from '../../src/operations/start-worker.js';
import {
  remindUnattendedOperations,
  startUnattendedOperationsReconciler,
} from '../../src/operations/unattended-operations.reconciler.js';
import {
  openToyWorld,
  requestToy,
  settledStates,
  type ToyServices,
  type ToyWorld,
  toyOperation,
} from './toy-operation.js';

const ENDED_MS_MAX = 20_000;
const SHORT_LEASE_MS = 1_000;
const CLOSE_MS_MAX = 1_500;
const actor: Actor = { tokenId: newId<TokenId>(), tokenName: 'ops', role: 'operator', projectId: null };
const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A server of the bell, and the ways in which it fails. */
interface BellServer {
  redisUrl: string | undefined;
  /** Everything the bell knew is gone. */
  empty(databaseUrl: string): Promise<void>;
  /** Every connection breaks; with Redis the process is another one afterwards, with nothing in it. */
  interrupt(databaseUrl: string): Promise<void>;
  stop(): Promise<void>;
}

const withClient = async (url: string, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
};

const onPostgres = async (): Promise<BellServer> => ({
  redisUrl: undefined,
  empty: (url) => withClient(url, 'TRUNCATE kvorum_bell.job CASCADE'),
  interrupt: (url) =>
    withClient(
      url,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    ),
  stop: async () => {},
});

const onRedis = async (): Promise<BellServer> => {
  const folder = makeScratchFolder();
  const server = await startRedis({ dataDir: folder.path });
  return {
    redisUrl: server.url,
    empty: async () => {
      const client = new Redis(server.url);
      await client.flushall();
      client.disconnect();
    },
    interrupt: () => server.restart(),
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
};

describe.each([
  ['PostgreSQL', onPostgres],
  ['Redis', onRedis],
])('workers woken through %s', (backend, start) => {
  let server: BellServer;
  let shared: TestDatabase;
  let world: ToyWorld;
  let bell: Bell;
  const closers: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await start();
    shared = await createTestDatabase();
  });
  afterAll(async () => {
    await shared.drop();
    await server.stop();
  });
  beforeEach(async () => {
    world = openToyWorld(shared.url);
    bell = await openBell({ databaseUrl: shared.url, redisUrl: server.redisUrl, log });
  });
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await bell.close();
    await world.database.operation.updateMany({ data: { state: 'failed' } });
    await world.close();
  });

  const cp = () => ({ database: world.database, bell, log });
  const startWorker = async (
    definition: AnyDefinition<ToyServices>,
    options: { leaseMs?: number; observer?: OperationObserver } = {},
  ): Promise<Worker> => {
    const worker = await startOperationWorker(cp(), {
      concurrency: 4,
      definitions: new Map([[definition.kind, definition]]),
      services: { host: world.host },
      backoff: { delayMsMin: 50, delayMsMax: 100 },
      ...options,
    });
    closers.push(() => worker.close(CLOSE_MS_MAX));
    return worker;
  };
  const startReconciler = (): void => {
    const reconciler = startUnattendedOperationsReconciler(cp());
    closers.push(() => reconciler.close());
  };
  const stateOf = async (id: string): Promise<string> =>
    (await world.database.operation.findUniqueOrThrow({ where: { id } })).state;
  const expectEnd = async (id: string, state: string): Promise<void> => {
    await expect.poll(() => stateOf(id), { timeout: ENDED_MS_MAX, interval: 20 }).toBe(state);
    expect(await settledStates(world)).toEqual([state]);
  };
  const namesRun = (): string[] => world.host.executions.map((execution) => execution.split('@')[0] ?? '');
  const hold = (name: string): { entered: Promise<void>; proceed: () => void } => {
    let proceed = (): void => {};
    const entered = new Promise<void>((resolve) => {
      world.host.during.set(name, () => {
        resolve();
        world.host.during.delete(name);
        return new Promise((go) => {
          proceed = go;
        });
      });
    });
    return { entered, proceed: () => proceed() };
  };

  it('carry an operation out once when the bell rings', async () => {
    const toy = toyOperation();
    await startWorker(toy);
    const id = await requestToy(world, toy);
    await bell.ring(id);
    await expectEnd(id, 'succeeded');
    expect(namesRun()).toEqual(['run disk', 'run measure', 'run device']);
  });

  it('do nothing twice when a message is delivered many times to many workers', async () => {
    const toy = toyOperation();
    await startWorker(toy);
    await startWorker(toy);
    const id = await requestToy(world, toy);
    await Promise.all(Array.from({ length: 10 }, () => bell.ring(id)));
    await bell.remind([1, 2, 3].map((leaseToken) => ({ operationId: id, leaseToken })));
    await expectEnd(id, 'succeeded');
    await bell.ring(id);
    expect(world.host.executions).toEqual(['run disk@1', 'run measure@1', 'run device@1']);
  });

  it('find an operation whose ring was lost', async () => {
    const toy = toyOperation();
    await startWorker(toy);
    startReconciler();
    const id = await requestToy(world, toy);
    await expectEnd(id, 'succeeded');
  });

  it('come back to a failed step by a delayed ring alone', async () => {
    const toy = toyOperation();
    let failuresLeft = 2;
    world.host.during.set('run device', async () => {
      failuresLeft -= 1;
      if (failuresLeft >= 0) throw Object.assign(new Error('gone'), { code: 'ECONNREFUSED' });
    });
    await startWorker(toy);
    const id = await requestToy(world, toy);
    await bell.ring(id);
    await expectEnd(id, 'succeeded');
    expect(namesRun()).toEqual(['run disk', 'run measure', 'run device', 'run device', 'run device']);
  });

  it('finish what they do when the bell is emptied in the middle, and hear of the rest from the reconciler', async () => {
    const toy = toyOperation();
    await startWorker(toy);
    const held = hold('run device');
    const first = await requestToy(world, toy);
    await bell.ring(first);
    await held.entered;
    await bell.ring(first, { delayMs: 60_000 });
    await server.empty(shared.url);
    startReconciler();
    held.proceed();
    await expectEnd(first, 'succeeded');
    const other = { ...world, objectId: newId<string>() };
    const second = await requestToy(other, toy);
    await bell.ring(second);
    await expect.poll(() => stateOf(second), { timeout: ENDED_MS_MAX }).toBe('succeeded');
  });

  it('survive the loss of every connection to the server of the bell', async () => {
    const toy = toyOperation();
    await startWorker(toy);
    startReconciler();
    const held = hold('run device');
    const first = await requestToy(world, toy);
    await bell.ring(first);
    await held.entered;
    await server.interrupt(shared.url);
    held.proceed();
    await expectEnd(first, 'succeeded');
    const other = { ...world, objectId: newId<string>() };
    const second = await requestToy(other, toy);
    await bell.ring(second);
    await expect.poll(() => stateOf(second), { timeout: ENDED_MS_MAX }).toBe('succeeded');
  });

  it('end a running step soon after a cancel', async () => {
    const toy = toyOperation();
    await startWorker(toy);
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    world.host.during.set('run device', (signal) => {
      entered();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const id = await requestToy(world, toy);
    await bell.ring(id);
    await inside;
    await cancelOperation(cp(), actor, id);
    await expectEnd(id, 'cancelled');
    expect([...world.host.things]).toEqual([]);
  });

  it('hand over at once when one of them is closed in the middle of a step', async () => {
    const toy = toyOperation();
    const first = await startWorker(toy);
    const held = hold('run device');
    const id = await requestToy(world, toy);
    await bell.ring(id);
    await held.entered;
    await first.close(CLOSE_MS_MAX);
    const row = await world.database.operation.findUniqueOrThrow({ where: { id } });
    expect({ state: row.state, owner: row.leaseOwner }).toEqual({ state: 'running', owner: null });
    await startWorker(toy);
    await expectEnd(id, 'succeeded');
  });

  it('let a running step end when they are closed with time to spare', async () => {
    const toy = toyOperation();
    const worker = await startWorker(toy);
    const held = hold('run device');
    const id = await requestToy(world, toy);
    await bell.ring(id);
    await held.entered;
    const closing = worker.close(60_000);
    held.proceed();
    await closing;
    expect(await stateOf(id)).toBe('succeeded');
  });

  it('never run a step under the same token twice, however often they die', async () => {
    const toy = toyOperation();
    let deathsLeft = 3;
    const dying: OperationObserver = {
      afterRun: () => {
        deathsLeft -= 1;
        return deathsLeft >= 0 ? new Promise(() => {}) : undefined;
      },
    };
    for (let index = 0; index < 3; index += 1) await startWorker(toy, { leaseMs: SHORT_LEASE_MS, observer: dying });
    startReconciler();
    const id = await requestToy(world, toy);
    await bell.ring(id);
    // A hook that hangs keeps its lease, as a live worker does; what takes it away is an operator or the clock.
    while (deathsLeft >= 0) {
      await world.database.operation.updateMany({
        where: { id },
        data: { leaseExpiresAt: new Date(0), leaseOwner: 'died' },
      });
      await sleep(SHORT_LEASE_MS / 10);
    }
    await expectEnd(id, 'succeeded');
    expect(new Set(world.host.executions).size).toBe(world.host.executions.length);
  });

  it('are not rung for twice by reminders while nobody has heard the first', async () => {
    const toy = toyOperation();
    const id = await requestToy(world, toy);
    for (let pass = 0; pass < 5; pass += 1) expect(await remindUnattendedOperations(cp())).toBe(1);
    let heardCount = 0;
    const listener = await bell.listen(
      async (operationId) => {
        if (operationId === id) heardCount += 1;
      },
      { concurrency: 4 },
    );
    await expect.poll(() => heardCount, { timeout: ENDED_MS_MAX }).toBeGreaterThan(0);
    await listener.close(CLOSE_MS_MAX);
    // Two if the ten seconds in which they are folded ended between two passes.
    expect(heardCount).toBeLessThanOrEqual(2);
  });

  it(`refuse to start without the server of the bell (${backend})`, async () => {
    const nowhere = 'redis://127.0.0.1:1';
    const gone =
      server.redisUrl === undefined
        ? { databaseUrl: 'postgres://127.0.0.1:1/x' }
        : { databaseUrl: shared.url, redisUrl: nowhere };
    await expect(openBell({ ...gone, log })).rejects.toMatchObject({ code: 'unavailable' });
  });
});
