import { backoffMs, RETRY_COUNT_MAX, retryAfterMs, type Sleep } from './backoff.js';
import { unreachable } from './kvorum-error.js';

export type Fetch = (request: Request) => Promise<Response>;

/** 429: slow down; 503: not now. Both say that nothing was done. */
const STATUSES_TO_RETRY: readonly number[] = [429, 503];
/** RFC 9110 section 9.2.2. PUT is idempotent too, but its bodies here are streams that cannot be sent twice. */
const IDEMPOTENT_METHODS: readonly string[] = ['GET', 'HEAD', 'DELETE'];
export const IDEMPOTENCY_KEY_HEADER = 'idempotency-key';

/**
 * `fetch` that tries again where that is safe: a request that may be sent twice without doing its work twice, which got
 * no answer or was told to come later. Throws KvorumError `unreachable` when no answer comes at all.
 */
export const retryingFetch =
  (fetch: Fetch, sleep: Sleep): Fetch =>
  async (request) => {
    const isRepeatable = IDEMPOTENT_METHODS.includes(request.method) || request.headers.has(IDEMPOTENCY_KEY_HEADER);
    for (let attempt = 0; ; attempt += 1) {
      const isLast = !isRepeatable || attempt >= RETRY_COUNT_MAX;
      // A body can be read once; the clone keeps one for the next attempt.
      const answer = await attemptOnce(fetch, isLast ? request : request.clone());
      if (answer instanceof Response) {
        if (isLast || !STATUSES_TO_RETRY.includes(answer.status)) return answer;
        const waitMs = retryAfterMs(answer.headers.get('retry-after'), new Date());
        if (waitMs === 'too long') return answer;
        discard(answer);
        await sleep(waitMs ?? backoffMs(attempt), request.signal);
      } else {
        if (isLast) throw unreachable(request.url, answer.failure);
        await sleep(backoffMs(attempt), request.signal);
      }
    }
  };

async function attemptOnce(fetch: Fetch, request: Request): Promise<Response | { failure: unknown }> {
  try {
    return await fetch(request);
  } catch (failure) {
    if (request.signal.aborted) throw request.signal.reason;
    return { failure };
  }
}

/** Lets go of an answer that nobody reads. Not awaited: cancelling may wait for a peer that does not send. */
export function discard(answer: Response): void {
  answer.body?.cancel().catch(() => undefined);
}
