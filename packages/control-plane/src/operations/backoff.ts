/** How long to wait before a failed attempt is repeated. */
export interface Backoff {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/** The first retry comes soon, for most faults are short; the longest pause is what a person watching would accept. */
export const STEP_BACKOFF: Backoff = { delayMsMin: 250, delayMsMax: 30_000 };

/**
 * Doubles with each attempt (the first is 1) up to the maximum; then half of it is fixed and half is `random` (0 to 1), so
 * that those who failed together do not come back together. Whole ms, never below half of the minimum.
 */
export function backoffMs(attempt: number, random: number, backoff: Backoff = STEP_BACKOFF): number {
  const doubled = backoff.delayMsMin * 2 ** Math.max(0, attempt - 1);
  const capped = Math.min(doubled, backoff.delayMsMax);
  return Math.round(capped * (0.5 + random / 2));
}
