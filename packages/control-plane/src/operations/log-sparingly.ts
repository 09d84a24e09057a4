import type { Logger } from '../control-plane.js';

/** A server that is away makes every attempt fail; one line in this time tells as much as a thousand. */
const LOG_PERIOD_MS = 5_000;

/** Returns a function that logs an error as a warning, at most once per period, with the number of those left out. */
export function logSparingly(log: Logger, message: string): (error: unknown) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let skippedCount = 0;
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < LOG_PERIOD_MS) {
      skippedCount += 1;
      return;
    }
    log.warn({ err: error, skippedCount }, message);
    loggedAtMs = nowMs;
    skippedCount = 0;
  };
}
