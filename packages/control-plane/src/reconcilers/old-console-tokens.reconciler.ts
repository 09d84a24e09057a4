import { forgetConsoleTokens } from '../console/console-token.store.js';
import type { ControlPlane } from '../control-plane.js';

/** Long enough that a person who asks why theirs was refused finds the row. */
const KEPT_MS = 3_600_000;
/** Small enough to hold no lock for long; the next pass goes on. */
const ROWS_PER_PASS_MAX = 5000;

/** Forgets console tokens that expired an hour ago. Returns how many. */
export const reconcileOldConsoleTokens = (cp: Pick<ControlPlane, 'database' | 'clock'>): Promise<number> =>
  forgetConsoleTokens(cp.database, new Date(cp.clock().getTime() - KEPT_MS), ROWS_PER_PASS_MAX);
