import { newId } from '@kvorum/schema';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import { type Database, openDatabase, type Tx, withTransaction } from '../../src/database/database.js';
import { isDatabaseUnavailable } from '../../src/database/database-errors.js';

let shared: TestDatabase;
let database: Database;
const [first, second] = [newId<string>(), newId<string>()];

beforeAll(async () => {
  shared = await createTestDatabase();
  database = openDatabase(shared.url, 4);
  for (const id of [first, second]) {
    await database.project.create({
      data: { id, name: id.slice(-12), quotaVmCount: 0, quotaVcpuCount: 0, quotaMemoryBytes: 0, quotaDiskBytes: 0 },
    });
  }
});
afterAll(async () => {
  await database.$disconnect();
  await shared.drop();
});

const addOne = (tx: Tx, id: string): Promise<number> =>
  tx.$executeRaw`UPDATE projects SET used_vm_count = used_vm_count + 1 WHERE id = ${id}::uuid`;
const usedOf = async (id: string): Promise<number> =>
  (await database.project.findUniqueOrThrow({ where: { id } })).usedVmCount;
const killOthers = async (): Promise<void> => {
  const client = new pg.Client({ connectionString: shared.url });
  await client.connect();
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await client.end();
};

describe('withTransaction', () => {
  it('does the victim of a deadlock again', async () => {
    let attemptCount = 0;
    let bothLocked = (): void => {};
    const locked = new Promise<void>((resolve) => {
      let lockCount = 0;
      bothLocked = () => {
        lockCount += 1;
        if (lockCount === 2) resolve();
      };
    });
    const crossing = (one: string, other: string): Promise<number> =>
      withTransaction(database, async (tx) => {
        attemptCount += 1;
        await addOne(tx, one);
        bothLocked();
        await locked;
        return addOne(tx, other);
      });
    await Promise.all([crossing(first, second), crossing(second, first)]);
    expect(attemptCount).toBe(3);
    expect([await usedOf(first), await usedOf(second)]).toEqual([2, 2]);
  });

  it('does it again when the connection broke before its commit, and only then', async () => {
    const before = await usedOf(first);
    let attemptCount = 0;
    await withTransaction(database, async (tx) => {
      attemptCount += 1;
      await addOne(tx, first);
      if (attemptCount === 1) await killOthers();
      await addOne(tx, first);
    });
    expect(attemptCount).toBe(2);
    expect(await usedOf(first)).toBe(before + 2);
  });

  it('says unavailable, and does not repeat, when nobody knows whether the commit took effect', async () => {
    let attemptCount = 0;
    const doubtful = withTransaction(database, async (tx) => {
      attemptCount += 1;
      await addOne(tx, first);
      await killOthers();
    });
    await expect(doubtful).rejects.toMatchObject({ code: 'unavailable' });
    expect(attemptCount).toBe(1);
  });

  it('passes on what the caller throws, and rolls back', async () => {
    const before = await usedOf(first);
    const refused = withTransaction(database, async (tx) => {
      await addOne(tx, first);
      throw new RangeError('refused');
    });
    await expect(refused).rejects.toThrow(RangeError);
    expect(await usedOf(first)).toBe(before);
  });

  it('survives connections that break while they are idle', async () => {
    await killOthers();
    await expect
      .poll(
        () =>
          usedOf(first).then(
            () => 'answers',
            () => 'broken',
          ),
        { timeout: 5_000 },
      )
      .toBe('answers');
  });
});

describe('isDatabaseUnavailable', () => {
  it('knows a server that is not there', async () => {
    const gone = openDatabase('postgres://nobody@127.0.0.1:1/none', 1);
    const error = await gone.project.findMany().catch((thrown: unknown) => thrown);
    await gone.$disconnect();
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('does not take a refused row for it', async () => {
    const error = await database.project
      .create({
        data: { id: first, name: 'x', quotaVmCount: 0, quotaVcpuCount: 0, quotaMemoryBytes: 0, quotaDiskBytes: 0 },
      })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(isDatabaseUnavailable(error)).toBe(false);
  });
});
