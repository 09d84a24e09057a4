import { newId, type ProjectId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import type { Actor } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from './event.store.js';
import { readEvents, waitForEvents } from './read-events.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane({ server: 'own' });
});
afterAll(() => test.close());

const record = (tx: Tx, resourceId: string, projectId: string | null = null, n = 0) =>
  recordEvent(tx, { type: 'test.happened', projectId, resourceKind: 'test', resourceId, data: { n } });
const recordNow = (resourceId: string, projectId: string | null = null, n = 0) =>
  withTransaction(test.cp.database, (tx) => record(tx, resourceId, projectId, n));
const read = (after: string | null, options: { actor?: Actor; limit?: number; resource?: string } = {}) =>
  readEvents(test.cp, options.actor ?? test.admin, {
    after,
    limit: options.limit ?? 100,
    ...(options.resource === undefined ? {} : { resource: options.resource }),
  });
const deferred = () => {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
};
const never = new AbortController().signal;

describe('the event log', () => {
  it('begins now for a reader without a place', async () => {
    await recordNow(newId());
    const { events, cursor } = await read(null);
    expect(events).toEqual([]);
    const id = newId();
    await recordNow(id);
    expect((await read(cursor)).events.map((event) => event.resourceId)).toEqual([id]);
  });

  it('gives pages that join, and goes on from the id of any event', async () => {
    const { cursor } = await read(null);
    const id = newId();
    for (let n = 0; n < 5; n += 1) await recordNow(id, null, n);
    const first = await read(cursor, { limit: 2 });
    const second = await read(first.cursor, { limit: 2 });
    const third = await read(second.cursor, { limit: 2 });
    const numbers = [first, second, third].map((page) => page.events.map((event) => event.data['n']));
    expect(numbers).toEqual([[0, 1], [2, 3], [4]]);
    const again = await read(first.events[0]?.id ?? '', { limit: 10 });
    expect(again.events.map((event) => event.data['n'])).toEqual([1, 2, 3, 4]);
  });

  it('holds back what is newer than a transaction under way, so that nothing appears behind a cursor', async () => {
    const { cursor } = await read(null);
    const [slow, fast] = [newId(), newId()];
    const [mayEnd, hasWritten] = [deferred(), deferred()];
    const slowly = withTransaction(test.cp.database, async (tx) => {
      await record(tx, slow);
      hasWritten.resolve();
      await mayEnd.promise;
    });
    await hasWritten.promise;
    await recordNow(fast);
    const early = await read(cursor);
    expect(early.events).toEqual([]);
    mayEnd.resolve();
    await slowly;
    expect((await read(early.cursor)).events.map((event) => event.resourceId)).toEqual([slow, fast]);
  });

  it('gives every event once to a reader who reads while many write', async () => {
    let { cursor } = await read(null);
    const id = newId();
    const writing = Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        withTransaction(test.cp.database, async (tx) => {
          await record(tx, id, null, n);
          await tx.$executeRaw`SELECT pg_sleep(${Math.random() / 50})`;
        }),
      ),
    );
    const seen: unknown[] = [];
    let isWritten = false;
    void writing.then(() => {
      isWritten = true;
    });
    for (let wasWritten = false; !wasWritten; ) {
      wasWritten = isWritten;
      const page = await read(cursor, { limit: 7 });
      seen.push(...page.events.map((event) => event.data['n']));
      if (page.events.length > 0) wasWritten = false;
      cursor = page.cursor;
    }
    await writing;
    expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  it('shows a project its own events, and moves its reader past those of others', async () => {
    const projectId = newId<ProjectId>();
    const actor = { ...test.admin, projectId };
    const { cursor } = await read(null);
    const [own, other, site] = [newId(), newId(), newId()];
    await recordNow(other, newId());
    await recordNow(site);
    await recordNow(own, projectId);
    await recordNow(other, newId());
    const page = await read(cursor, { actor });
    expect(page.events.map((event) => event.resourceId)).toEqual([own]);
    expect(BigInt(page.cursor.split('-')[0] ?? 0)).toBeGreaterThan(BigInt(page.events[0]?.id.split('-')[0] ?? 0));
    expect((await read(cursor, { resource: site })).events.map((event) => event.resourceId)).toEqual([site]);
  });

  it.each(['', 'x', '-1-0', '1', '1-', '99999999999999999999-0', '9223372036854775808-0', '1-0; SELECT'])(
    'refuses the place %j',
    async (after) => {
      await expect(read(after)).rejects.toMatchObject({ code: 'invalid_request' });
    },
  );
});

describe('waiting for events', () => {
  const FAR_MS = 30_000;

  it('ends soon after an event was committed', async () => {
    const waiting = waitForEvents(test.cp, never, FAR_MS);
    // The first wait connects; the ring that follows LISTEN ends it, so that nothing falls between.
    await waiting;
    const next = waitForEvents(test.cp, never, FAR_MS);
    await recordNow(newId());
    await next;
  });

  it('ends once more when an older transaction ends that held events back', { timeout: 20_000 }, async () => {
    await waitForEvents(test.cp, never, 100);
    const { cursor } = await read(null);
    const [mayEnd, hasWritten] = [deferred(), deferred()];
    const slowly = withTransaction(test.cp.database, async (tx) => {
      // Takes a transaction id and writes no event: nothing would ring at its end.
      await tx.$executeRaw`SELECT pg_current_xact_id()`;
      hasWritten.resolve();
      await mayEnd.promise;
    });
    await hasWritten.promise;
    const id = newId();
    await recordNow(id);
    expect((await read(cursor)).events).toEqual([]);
    // As every reader does: listening begins before the read, so that a ring in between is not missed.
    let woken = waitForEvents(test.cp, never, FAR_MS);
    mayEnd.resolve();
    await slowly;
    for (;;) {
      const { events } = await read(cursor);
      if (events.length > 0) {
        expect(events.map((event) => event.resourceId)).toEqual([id]);
        break;
      }
      await woken;
      woken = waitForEvents(test.cp, never, FAR_MS);
    }
  });

  it('ends when its reader goes away', async () => {
    const leaving = new AbortController();
    const waiting = waitForEvents(test.cp, leaving.signal, FAR_MS);
    leaving.abort();
    await waiting;
  });

  it('goes on after the connection was lost', async () => {
    await waitForEvents(test.cp, never, 100);
    const killed = await test.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'
          OR (datname = current_database() AND query LIKE '%pg_snapshot_xmin%' AND state = 'idle' AND pid <> pg_backend_pid())`,
    );
    expect(killed.length).toBeGreaterThan(0);
    await recordNow(newId());
    // By polling until it is back, by notification afterwards; either way within the bound of the test.
    await waitForEvents(test.cp, never, FAR_MS);
  });
});
