import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../control-plane.js';
import type { Database } from '../database/database.js';
import type { Backoff } from './backoff.js';
import type { Bell } from './bell.js';
import { startLeaseKeeper } from './lease-keeper.js';
import type { AnyDefinition } from './operation-run.js';
import { type OperationObserver, OperationRunner } from './operation-runner.js';

/** How long a dead worker's operation waits for the next one. Heartbeats come at a third of it. */
export const LEASE_MS_DEFAULT = 30_000;

export interface WorkerOptions<Services> {
  /** Operations worked on at the same time by this process. */
  readonly concurrency: number;
  readonly definitions: ReadonlyMap<string, AnyDefinition<Services>>;
  readonly services: Services;
  readonly leaseMs?: number | undefined;
  readonly observer?: OperationObserver | undefined;
  readonly backoff?: Backoff | undefined;
}

export interface Worker {
  /**
   * Takes no new work and lets running steps end. What is not done shortly before `timeoutMs` is interrupted, its lease
   * given up and the bell rung, so that another worker goes on at once.
   */
  close(timeoutMs: number): Promise<void>;
}

/** Kept back of a close's time for interrupting work and giving up leases. */
const GIVE_UP_MS = 1_000;

/** Starts working on operations as the bell rings. */
export async function startOperationWorker<Services>(
  cp: { readonly database: Database; readonly bell: Bell; readonly log: Logger },
  options: WorkerOptions<Services>,
): Promise<Worker> {
  const { database, bell, log } = cp;
  const leaseMs = options.leaseMs ?? LEASE_MS_DEFAULT;
  const keeper = startLeaseKeeper({ database, log, leaseMs });
  const workerName = `${os.hostname()}/${process.pid}/${randomUUID()}`;
  const { definitions, services, observer, backoff } = options;
  const runner = new OperationRunner({
    database,
    bell,
    log,
    definitions,
    services,
    keeper,
    leaseMs,
    workerName,
    observer,
    backoff,
  });
  const listener = await bell.listen(
    async (operationId) => {
      await runner.work(operationId);
    },
    { concurrency: options.concurrency },
  );
  return {
    close: async (timeoutMs) => {
      const ended = new AbortController();
      const interrupting = sleep(Math.max(0, timeoutMs - GIVE_UP_MS), undefined, { signal: ended.signal }).then(
        () => keeper.giveUpAll(),
        () => {},
      );
      await listener.close(Math.max(timeoutMs, GIVE_UP_MS));
      ended.abort();
      await interrupting;
      keeper.close();
    },
  };
}
