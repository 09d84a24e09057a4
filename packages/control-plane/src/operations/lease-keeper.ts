import { DomainError } from '@kvorum/schema';
import type { Logger } from '../control-plane.js';
import type { Database } from '../database/database.js';
import { LeaseLost, WorkerClosing } from './lease-lost.js';
import { extendLeases, readHeld } from './operation-lease.store.js';

/** A lease that is kept alive until it is released. */
export interface HeldLease {
  /** Aborted with LeaseLost or WorkerClosing: stop at once, write nothing more. */
  readonly lost: AbortSignal;
  /** Aborted with the DomainError `cancelled`: somebody asked to cancel. */
  readonly cancelled: AbortSignal;
  release(): void;
}

export interface LeaseKeeper {
  /** `claimedAtMs`: `performance.now()` from before the claim was sent, so that we never believe longer than PostgreSQL. */
  hold(operationId: string, owner: string, claimedAtMs: number): HeldLease;
  /** Ends all work held here with WorkerClosing. Leases are kept alive until each is released. */
  giveUpAll(): void;
  /** No heartbeats from here on. */
  close(): void;
}

/** A third: two heartbeats may be lost before the lease is. */
const HEARTBEATS_PER_LEASE = 3;
/** How soon a cancel, or a lease taken away, is seen by the worker. */
const LOOK_PERIOD_MS_MAX = 1_000;
/** We stop believing this much of the lease before PostgreSQL does, for aborting takes a moment. */
const LEASE_MARGIN_SHARE = 0.1;

interface Entry {
  readonly operationId: string;
  readonly owner: string;
  readonly lost: AbortController;
  readonly cancelled: AbortController;
  believedUntilMs: number;
}

/**
 * One heartbeat for all operations of a worker: two set-based statements however many there are. The lease is judged by
 * this process's own monotonic clock as well, so a database that hangs or is gone ends work in time without an answer.
 */
export function startLeaseKeeper(parts: { database: Database; log: Logger; leaseMs: number }): LeaseKeeper {
  const { database, log, leaseMs } = parts;
  const entries = new Map<string, Entry>();
  const heartbeatMs = leaseMs / HEARTBEATS_PER_LEASE;
  const believedMs = leaseMs * (1 - LEASE_MARGIN_SHARE);
  let isAsking = false;

  const lose = (entry: Entry): void => {
    entries.delete(entry.owner);
    entry.lost.abort(new LeaseLost(entry.operationId));
  };

  const extend = async (held: readonly Entry[], sentAtMs: number): Promise<void> => {
    const kept = await extendLeases(database, new Map(held.map((entry) => [entry.owner, entry.operationId])), leaseMs);
    for (const entry of held) {
      if (kept.has(entry.owner)) entry.believedUntilMs = sentAtMs + believedMs;
      else if (entries.has(entry.owner)) lose(entry);
    }
  };

  const look = async (held: readonly Entry[]): Promise<void> => {
    const rows = await readHeld(database, [...new Set(held.map((entry) => entry.operationId))]);
    for (const entry of held) {
      const row = rows.find((other) => other.id === entry.operationId);
      if (!entries.has(entry.owner)) continue;
      if (row?.owner !== entry.owner) lose(entry);
      else if (row.isCancelRequested && !entry.cancelled.signal.aborted) {
        entry.cancelled.abort(new DomainError('cancelled', 'the operation was cancelled'));
      }
    }
  };

  const beat = async (): Promise<void> => {
    const nowMs = performance.now();
    for (const entry of entries.values()) if (nowMs >= entry.believedUntilMs) lose(entry);
    if (isAsking || entries.size === 0) return;
    isAsking = true;
    try {
      const held = [...entries.values()];
      const isDue = held.some((entry) => entry.believedUntilMs - nowMs <= believedMs - heartbeatMs);
      if (isDue) await extend(held, nowMs);
      await look([...entries.values()]);
    } catch (error) {
      log.warn({ err: error, leaseCount: entries.size }, 'leases could not be extended; trying again');
    } finally {
      isAsking = false;
    }
  };

  // Half a heartbeat at most between looks, so that a short lease is extended in time as well.
  const timer = setInterval(() => void beat(), Math.min(heartbeatMs / 2, LOOK_PERIOD_MS_MAX));
  return {
    hold: (operationId, owner, claimedAtMs) => {
      const believedUntilMs = claimedAtMs + believedMs;
      const entry = {
        operationId,
        owner,
        believedUntilMs,
        lost: new AbortController(),
        cancelled: new AbortController(),
      };
      entries.set(owner, entry);
      return {
        lost: entry.lost.signal,
        cancelled: entry.cancelled.signal,
        release: () => void entries.delete(owner),
      };
    },
    giveUpAll: () => {
      for (const entry of entries.values()) entry.lost.abort(new WorkerClosing());
    },
    close: () => {
      clearInterval(timer);
      entries.clear();
    },
  };
}
