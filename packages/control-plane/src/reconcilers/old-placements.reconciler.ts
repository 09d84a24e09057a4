import type { ControlPlane } from '../control-plane.js';
import { forgetPlacementsOfDeletedVms, forgetRefusals } from '../placement/placement.store.js';

const DAY_MS = 24 * 3_600_000;
/** Long enough to be asked about after a weekend and a holiday. */
const KEPT_MS = 14 * DAY_MS;
/** A client that asks every second in vain makes 86,400 a day: at some 20 KB each, these are 200 MB. */
const REFUSALS_MAX = 10_000;
/** Small enough to hold no lock for long; the next pass goes on. */
const ROWS_PER_PASS_MAX = 2000;

/** Forgets decisions that nobody will ask about: old refusals, and those of VMs deleted long ago. Returns how many. */
export async function reconcileOldPlacements(cp: Pick<ControlPlane, 'database' | 'clock'>): Promise<number> {
  const before = new Date(cp.clock().getTime() - KEPT_MS);
  const refusalCount = await forgetRefusals(cp.database, {
    before,
    countMax: REFUSALS_MAX,
    rowsPerPassMax: ROWS_PER_PASS_MAX,
  });
  return refusalCount + (await forgetPlacementsOfDeletedVms(cp.database, before, ROWS_PER_PASS_MAX));
}
