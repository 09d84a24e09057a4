/** Attempts after the first. With the delays below they span about 8 s: a restart of the control plane. */
export const RETRY_COUNT_MAX = 5;
const RETRY_DELAY_MS_FIRST = 250;
const RETRY_DELAY_MS_MAX = 4000;
/** Whoever is told to wait longer is told so at once instead of sitting there. */
const RETRY_AFTER_MS_MAX = 30_000;
const MS_PER_SECOND = 1000;

/** Waits; a test may pass the time faster. */
export type Sleep = (delayMs: number, signal: AbortSignal | null) => Promise<void>;

/** Rejects with the signal's reason when it is aborted. */
export const sleep: Sleep = (delayMs, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, delayMs);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });

/** Doubles per attempt, counted from 0; between half and all of that, so that clients do not come back in step. */
export function backoffMs(attempt: number): number {
  const full = Math.min(RETRY_DELAY_MS_FIRST * 2 ** attempt, RETRY_DELAY_MS_MAX);
  return full / 2 + (full / 2) * Math.random();
}

/**
 * What Retry-After asks for, in ms (RFC 9110 section 10.2.3: seconds or a date); null: it says nothing usable, or more
 * than a client should sit out.
 */
export function retryAfterMs(header: string | null, now: Date): number | null | 'too long' {
  if (header === null) return null;
  const waitMs = /^\d+$/.test(header) ? Number(header) * MS_PER_SECOND : Date.parse(header) - now.getTime();
  if (Number.isNaN(waitMs)) return null;
  return waitMs > RETRY_AFTER_MS_MAX ? 'too long' : Math.max(0, waitMs);
}
