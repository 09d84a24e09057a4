import { DomainError } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import { takeDueHost } from '../leftover/leftover.store.js';
import { sweep } from '../leftover/sweep-host.js';
import { ORPHAN_AGE_MS } from '../leftover/sweep-pool.js';

/** Each host so often. */
const PERIOD_MS = 3_600_000;

/**
 * Has one host that is due looked at for what belongs to nobody. Several processes may do so at once, each with a host of its own. Returns
 * how much was found that was not known before.
 */
export async function reconcileLeftovers(
  cp: Pick<ControlPlane, 'database' | 'agents' | 'log'>,
  periodMs = PERIOD_MS,
): Promise<number> {
  const hostId = await takeDueHost(cp.database, periodMs);
  if (hostId === null) return 0;
  try {
    const { newCount, faults } = await sweep(cp, hostId, ORPHAN_AGE_MS);
    for (const fault of faults) cp.log.warn({ hostId, fault }, 'something of a host could not be looked at');
    return newCount;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    cp.log.warn({ hostId, code: error.code, reason: error.message }, 'a host could not be looked at for leftovers');
    return 0;
  }
}
