import type { Progress } from '@kvorum/schema';

/** People cannot read faster, and each one is a row and an event. */
export const PROGRESS_PERIOD_MS = 1_000;
/** Weight of the newest speed in the average: settles within a few reports, yet one slow second is not a new ETA. */
const NEWEST_WEIGHT = 0.3;

export const progressOf = (phase: string): Progress => ({
  phase,
  doneBytes: null,
  totalBytes: null,
  bytesPerSecond: null,
  etaSeconds: null,
});

/**
 * The next progress: what was reported over what is known, with speed and time left where bytes tell them. `elapsedMs`:
 * since `before` was made. Bytes that went back (a transfer began anew) give no speed.
 */
export function nextProgress(before: Progress, reported: Partial<Progress>, elapsedMs: number): Progress {
  const merged = { ...before, ...reported };
  if (merged.phase !== before.phase) return { ...progressOf(merged.phase), ...reported };
  if (merged.doneBytes === null) return merged;
  const grownBytes = before.doneBytes === null ? -1 : merged.doneBytes - before.doneBytes;
  if (reported.bytesPerSecond === undefined && grownBytes >= 0 && elapsedMs > 0) {
    const newest = (grownBytes * 1000) / elapsedMs;
    const known = before.bytesPerSecond ?? newest;
    merged.bytesPerSecond = Math.round(known * (1 - NEWEST_WEIGHT) + newest * NEWEST_WEIGHT);
  }
  if (reported.etaSeconds === undefined) {
    const { totalBytes, bytesPerSecond } = merged;
    merged.etaSeconds =
      totalBytes === null || bytesPerSecond === null || bytesPerSecond === 0
        ? null
        : Math.ceil(Math.max(0, totalBytes - merged.doneBytes) / bytesPerSecond);
  }
  return merged;
}
