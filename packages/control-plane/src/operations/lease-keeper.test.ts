import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Logger } from '../control-plane.js';
import { openDatabase } from '../database/database.js';
import { startLeaseKeeper } from './lease-keeper.js';
import { LeaseLost, WorkerClosing } from './lease-lost.js';

const LEASE_MS = 200;
const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const OPERATION_ID = '01920000-0000-7000-8000-000000000000';
const closers: (() => Promise<unknown>)[] = [];

/** Accepts connections and never says a word, as a database behind a broken network does. */
const listenSilently = (): Promise<{ server: Server; port: number }> =>
  new Promise((resolve) => {
    const server = createServer(() => {});
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address !== null ? address.port : 0 });
    });
  });

const keeperOn = (port: number) => {
  const database = openDatabase(`postgres://nobody@127.0.0.1:${port}/none`, 1);
  const keeper = startLeaseKeeper({ database, log, leaseMs: LEASE_MS });
  closers.push(async () => {
    keeper.close();
    await database.$disconnect();
  });
  return keeper;
};

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

describe('the lease keeper', () => {
  it.each([
    ['cannot be reached', async () => 1],
    [
      'never answers',
      async () => {
        const { server, port } = await listenSilently();
        closers.push(async () => server.close());
        return port;
      },
    ],
  ])('ends work by its own clock when the database %s', async (_, listen) => {
    const keeper = keeperOn(await listen());
    const held = keeper.hold(OPERATION_ID, 'me', performance.now());
    await expect.poll(() => held.lost.aborted).toBe(true);
    expect(held.lost.reason).toBeInstanceOf(LeaseLost);
  });

  it('does not believe in a lease whose claim took as long as the lease', async () => {
    const held = keeperOn(1).hold(OPERATION_ID, 'me', performance.now() - LEASE_MS);
    await expect.poll(() => held.lost.aborted).toBe(true);
  });

  it('tells all work of a closing worker to stop, and leaves released work alone', () => {
    const keeper = keeperOn(1);
    const released = keeper.hold(OPERATION_ID, 'a', performance.now());
    released.release();
    const held = keeper.hold(OPERATION_ID, 'b', performance.now());
    keeper.giveUpAll();
    expect(held.lost.reason).toBeInstanceOf(WorkerClosing);
    expect(released.lost.aborted).toBe(false);
  });
});
