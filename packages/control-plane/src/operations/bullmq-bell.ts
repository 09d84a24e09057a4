import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import { type JobsOptions, runMigrations } from 'bullmq';
import pg from 'pg';
import type { Logger } from '../control-plane.js';
import { JointTransaction } from '../database/joint-transaction.js';
import type { Bell, BellListener } from './bell.js';
import {
  BELL_SCHEMA,
  type BellBackend,
  type BellConnection,
  POSTGRES_POOL_SIZE,
  postgresBellBackend,
  redisBellBackend,
} from './bell-backend.js';
import { logSparingly } from './log-sparingly.js';

/** A caller that has committed must not wait for a bell that hangs. */
const RING_MS_MAX = 2_000;
const READY_MS_MAX = 10_000;
const RINGS_AT_ONCE_MAX = 100;
const CLOSE_MS_MAX = 2_000;
/** For cutting a connection that did not end in order. */
const CUT_MS_MAX = 500;
/** A reminder that nobody heard is repeated after this; before that it is folded into the first. */
const REMINDER_PERIOD_MS = 10_000;
/**
 * A ring is not a task: it is forgotten once heard, is never tried again, and its failure means nothing. Each has an id of
 * its own, so a ring that comes while the operation is being worked on is delivered after all and not taken for a repeat.
 */
const RING: JobsOptions = { attempts: 1, removeOnComplete: true, removeOnFail: true };

export interface BellConfig {
  readonly databaseUrl: string;
  /** If set the bell hangs on Redis, else on PostgreSQL. */
  readonly redisUrl?: string | undefined;
  readonly log: Logger;
}

/** Opens the bell; throws `unavailable` if its server does not answer. From then on it survives any loss of it. */
export async function openBell(config: BellConfig): Promise<Bell> {
  const { databaseUrl, redisUrl, log } = config;
  if (redisUrl === undefined) await createBellSchema(databaseUrl);
  const backend = redisUrl === undefined ? postgresBellBackend(databaseUrl) : redisBellBackend(redisUrl);
  const logTrouble = logSparingly(log, 'the bell has trouble with its server; it goes on trying');
  const queue = backend.openQueue();
  queue.on('error', logTrouble);
  await requireReady(queue);
  const listeners = new Set<BellListener>();
  const rings = new JointTransaction<string, void>({
    run: async (operationIds) => {
      await queue.addBulk(operationIds.map((operationId) => ({ name: 'ring', data: { operationId }, opts: RING })));
      return operationIds.map(() => undefined);
    },
    memberCountMax: RINGS_AT_ONCE_MAX,
    concurrency: POSTGRES_POOL_SIZE,
  });
  const deliver = async (ringing: Promise<unknown>): Promise<void> => {
    await withinMs(ringing, RING_MS_MAX).catch(logTrouble);
  };
  return {
    ring: (operationId, { delayMs } = {}) =>
      deliver(
        delayMs === undefined
          ? rings.join(operationId)
          : queue.add('ring', { operationId }, { ...RING, delay: Math.ceil(delayMs) }),
      ),
    remind: (unattended) => {
      const period = Math.floor(Date.now() / REMINDER_PERIOD_MS);
      return deliver(
        queue.addBulk(
          unattended.map(({ operationId, leaseToken }) => ({
            name: 'reminder',
            data: { operationId },
            opts: { ...RING, jobId: `reminder_${operationId}_${leaseToken}_${period}` },
          })),
        ),
      );
    },
    listen: async (work, { concurrency }) => {
      const listener = await listen(backend, work, { concurrency, log });
      listeners.add(listener);
      return listener;
    },
    close: async () => {
      for (const listener of listeners) await listener.close(0);
      await endWithinMs(queue, CLOSE_MS_MAX);
    },
  };
}

async function createBellSchema(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: READY_MS_MAX });
  client.on('error', () => {});
  try {
    await client.connect();
    // Takes an advisory lock: several starters at once are safe.
    await runMigrations(client, BELL_SCHEMA);
  } catch (error) {
    throw new DomainError('unavailable', 'the bell cannot be hung up in PostgreSQL', { cause: error });
  } finally {
    await client.end().catch(() => {});
  }
}

async function requireReady(opened: BellConnection): Promise<void> {
  try {
    await withinMs(opened.waitUntilReady(), READY_MS_MAX);
  } catch (error) {
    await endWithinMs(opened, CLOSE_MS_MAX);
    throw new DomainError('unavailable', 'the server of the bell does not answer', { cause: error });
  }
}

async function listen(
  backend: BellBackend,
  work: (operationId: string) => Promise<void>,
  { concurrency, log }: { concurrency: number; log: Logger },
): Promise<BellListener> {
  const logTrouble = logSparingly(log, 'listening to the bell is disturbed; it goes on trying');
  const worker = backend.openWorker(async ({ data }) => {
    try {
      await work(data.operationId);
    } catch (error) {
      // The row is the truth: if there is still something to do, the reconciler rings.
      log.error({ err: error, operationId: data.operationId }, 'work on an operation was cut off');
    }
  }, concurrency);
  worker.on('error', logTrouble);
  await requireReady(worker);
  let closing: Promise<void> | null = null;
  return {
    close: (timeoutMs) => {
      closing ??= endWithinMs(worker, timeoutMs);
      return closing;
    },
  };
}

/** Ends in order if it can, and cuts the connection if that takes too long, as when the server is away. */
async function endWithinMs(opened: BellConnection, timeoutMs: number): Promise<void> {
  await withinMs(opened.close(), timeoutMs).catch(() => withinMs(opened.disconnect(), CUT_MS_MAX).catch(() => {}));
}

async function withinMs<Result>(promise: Promise<Result>, timeoutMs: number): Promise<Result> {
  const timer = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new DomainError('unavailable', `no answer within ${timeoutMs} ms`);
  });
  late.catch(() => {});
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
