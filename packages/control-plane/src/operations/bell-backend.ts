import { createPostgresBackend, type JobsOptions, type Processor, Queue, type RedisOptions, Worker } from 'bullmq';

const QUEUE_NAME = 'operations';
/** BullMQ's tables live beside ours, in a schema of their own. */
export const BELL_SCHEMA = 'kvorum_bell';
const REDIS_KEY_PREFIX = 'kvorum';
/** Connections of one bell: rings are short. A listener has as many, and one more for LISTEN. */
export const POSTGRES_POOL_SIZE = 2;
const REDIS_RECONNECT_MS_STEP = 50;
const REDIS_RECONNECT_MS_MAX = 1_000;
/** A worker that died with a ring in its hands: the ring is heard again after at most both of these. */
const LOCK_MS = 15_000;
const STALLED_LOOK_PERIOD_MS = 5_000;
/** A ring whose listener died may come back any number of times. */
const STALLED_COUNT_MAX = 1_000_000;
/** Pause after a failed fetch; soon, for servers restart within seconds. */
const FETCH_RETRY_MS = 1_000;
/** Longest sleep of an idle worker without looking by itself. */
const IDLE_LOOK_SECONDS = 5;

export interface Ring {
  readonly operationId: string;
}

/** What the bell needs of BullMQ's Queue and Worker, on either backend. */
export interface BellConnection {
  on(event: 'error', listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
  disconnect(): Promise<void>;
}
export interface RingQueue extends BellConnection {
  add(name: string, ring: Ring, options: JobsOptions): Promise<unknown>;
  addBulk(rings: { name: string; data: Ring; opts: JobsOptions }[]): Promise<unknown>;
}
export interface BellBackend {
  openQueue(): RingQueue;
  openWorker(hear: Processor<Ring, void>, concurrency: number): BellConnection;
}

const workerOptions = (concurrency: number) => ({
  concurrency,
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_LOOK_PERIOD_MS,
  maxStalledCount: STALLED_COUNT_MAX,
  runRetryDelay: FETCH_RETRY_MS,
  drainDelay: IDLE_LOOK_SECONDS,
});

export function postgresBellBackend(databaseUrl: string): BellBackend {
  const connection = { connectionString: databaseUrl, schema: BELL_SCHEMA, max: POSTGRES_POOL_SIZE };
  return {
    openQueue: () => new Queue(QUEUE_NAME, { connection }, createPostgresBackend),
    openWorker: (hear, concurrency) =>
      new Worker(QUEUE_NAME, hear, { connection, ...workerOptions(concurrency) }, createPostgresBackend),
  };
}

export function redisBellBackend(redisUrl: string): BellBackend {
  const reconnecting: RedisOptions = {
    url: redisUrl,
    retryStrategy: (attempt) => Math.min(attempt * REDIS_RECONNECT_MS_STEP, REDIS_RECONNECT_MS_MAX),
  };
  // Who rings is told at once that Redis is away; who listens waits for it, however long.
  const ringing: RedisOptions = { ...reconnecting, maxRetriesPerRequest: 1, enableOfflineQueue: false };
  const listening: RedisOptions = { ...reconnecting, maxRetriesPerRequest: null };
  const prefix = REDIS_KEY_PREFIX;
  return {
    openQueue: () => new Queue(QUEUE_NAME, { connection: ringing, prefix }),
    openWorker: (hear, concurrency) =>
      new Worker(QUEUE_NAME, hear, { connection: listening, prefix, ...workerOptions(concurrency) }),
  };
}
