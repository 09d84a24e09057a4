import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../control-plane.js';
import type { Database } from '../database/database.js';
import type { Bell } from './bell.js';
import { logSparingly } from './log-sparingly.js';
import { findUnattendedOperations } from './operation-lease.store.js';

/** Rung for in one pass; the longest waiting first, so that none is passed over for ever. */
const OPERATIONS_PER_PASS_MAX = 500;
const PERIOD_MS = 1_000;
/** Of the period, at random: several processes do not look at the same moment. */
const PERIOD_JITTER_MS = 500;

interface Parts {
  readonly database: Database;
  readonly bell: Bell;
  readonly log: Logger;
}

/**
 * Rings for operations that may be worked on and are not: their worker died, their ring was lost, Redis was emptied, or a
 * deadline of theirs has passed meanwhile, which the worker that claims them acts upon. Returns how many there were.
 */
export async function remindUnattendedOperations(cp: Parts): Promise<number> {
  const unattended = await findUnattendedOperations(cp.database, OPERATIONS_PER_PASS_MAX);
  if (unattended.length > 0) await cp.bell.remind(unattended);
  return unattended.length;
}

/** Does so again and again until closed; an unreachable database is asked again at the next pass. */
export function startUnattendedOperationsReconciler(cp: Parts): { close(): Promise<void> } {
  const closing = new AbortController();
  const logTrouble = logSparingly(cp.log, 'looking for unattended operations failed; trying again');
  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await remindUnattendedOperations(cp).catch(logTrouble);
      const pauseMs = PERIOD_MS + Math.random() * PERIOD_JITTER_MS;
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => {});
    }
  };
  const looping = loop();
  return {
    close: () => {
      closing.abort();
      return looping;
    },
  };
}
