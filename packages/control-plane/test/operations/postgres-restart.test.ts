import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type TestPostgres } from '../../../../tests/support/postgres.js';
import type { Logger } from '../../src/control-plane.js';
import { migrateDatabase } from '../../src/database/migrate.js';
import { openBell } from '../../src/operations/bullmq-bell.js';
import { startOperationWorker } from '../../src/operations/start-worker.js';
import { startUnattendedOperationsReconciler } from '../../src/operations/unattended-operations.reconciler.js';
import { wrapSteps } from '../operation-harness.js';
import { openToyWorld, requestToy, settledStates, type ToyWorld, toyOperation } from './toy-operation.js';

const ENDED_MS_MAX = 30_000;
const LEASE_MS = 3_000;
const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('a restart of PostgreSQL under working workers', () => {
  let postgres: TestPostgres;
  let world: ToyWorld;
  beforeAll(async () => {
    postgres = await startPostgres();
    await migrateDatabase(postgres.adminUrl);
    world = openToyWorld(postgres.adminUrl);
  });
  afterAll(async () => {
    await world.close();
    await postgres.stop();
  });

  it('loses no operation: not the one in a step, not the one that reads the database, not the one asked for next', async () => {
    const bell = await openBell({ databaseUrl: postgres.adminUrl, log });
    const cp = { database: world.database, bell, log };
    const restartIn = new Map<number, () => Promise<void>>();
    const toy = wrapSteps(toyOperation(), (step, index) => ({
      ...step,
      run: async (context) => {
        await restartIn.get(index)?.();
        return step.run(context);
      },
    }));
    const worker = await startOperationWorker(cp, {
      concurrency: 2,
      definitions: new Map([[toy.kind, toy]]),
      services: { host: world.host },
      leaseMs: LEASE_MS,
    });
    const reconciler = startUnattendedOperationsReconciler(cp);
    try {
      // In the middle of a step: its result is written once PostgreSQL is back.
      restartIn.set(1, async () => {
        restartIn.delete(1);
        await postgres.restart();
      });
      // In a query of the step itself: a failure of the kind that is tried again.
      restartIn.set(2, async () => {
        restartIn.delete(2);
        const reading = world.database.$queryRaw`SELECT pg_sleep(10)::text`;
        reading.catch(() => {});
        await sleep(100);
        await postgres.restart();
        await reading;
      });
      for (const objectId of [world.objectId, crypto.randomUUID()]) {
        const asked = { ...world, objectId };
        const id = await requestToy(asked, toy);
        await bell.ring(id);
        const stateOf = () =>
          world.database.operation.findUniqueOrThrow({ where: { id } }).then(
            (row) => row.state,
            () => 'unreadable',
          );
        await expect.poll(stateOf, { timeout: ENDED_MS_MAX, interval: 50 }).toBe('succeeded');
        expect(await settledStates(asked)).toEqual(['succeeded']);
      }
      expect(restartIn.size).toBe(0);
    } finally {
      await reconciler.close();
      await worker.close(2_000);
      await bell.close();
    }
  });
});
