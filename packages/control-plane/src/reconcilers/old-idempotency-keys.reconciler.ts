import type { ControlPlane } from '../control-plane.js';
import { forgetIdempotencyKeys } from '../operations/idempotency.store.js';

const HOUR_MS = 3_600_000;
/** Nobody retries a request after a day; clients that must, choose a new key. */
const IDEMPOTENCY_KEY_AGE_MS = 24 * HOUR_MS;
/** Small enough to hold no lock for long; the next pass goes on. */
const ROWS_PER_PASS_MAX = 5000;

/** Forgets idempotency keys that have served their time. Returns how many. */
export const reconcileOldKeys = (cp: Pick<ControlPlane, 'database' | 'clock'>): Promise<number> =>
  forgetIdempotencyKeys(cp.database, new Date(cp.clock().getTime() - IDEMPOTENCY_KEY_AGE_MS), ROWS_PER_PASS_MAX);
