import { DomainError } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import { findDueHosts, markStaleHosts, postponeHost } from '../network/host-networks.store.js';
import { pushHostNetworks } from '../network/push-host-networks.js';

/** Changes of one pass; the rest is for the next one. */
const CHANGES_PER_PASS_MAX = 5_000;
/** Each is a call that may take seconds on a slow host. */
const HOSTS_AT_A_TIME = 16;
const PUSH_MS_MAX = 30_000;
/** A host that did not take them is asked again after so long, and others are not kept waiting. */
const RETRY_MS = 5_000;
/** Told again, though nothing has changed: what nobody could foresee ends then at the latest. */
const REPEAT_MS = 10 * 60_000;

/**
 * Tells hosts what they are to have of networks: those that a change concerns, those that were not reached, those that were told long
 * ago. A host that comes back is told by the same rule, as its revision was not applied. Several processes may do so at once. Returns
 * how many were told.
 */
export async function reconcileHostNetworks(cp: Pick<ControlPlane, 'database' | 'agents' | 'log'>): Promise<number> {
  await markStaleHosts(cp.database, CHANGES_PER_PASS_MAX);
  const hostIds = await findDueHosts(cp.database, HOSTS_AT_A_TIME, REPEAT_MS);
  const told = await Promise.all(hostIds.map((hostId) => tell(cp, hostId)));
  return told.filter((isTold) => isTold).length;
}

async function tell(cp: Pick<ControlPlane, 'database' | 'agents' | 'log'>, hostId: string): Promise<boolean> {
  try {
    const faults = await pushHostNetworks(cp, hostId, { timeoutMs: PUSH_MS_MAX });
    for (const { networkId, message } of faults) {
      cp.log.warn({ hostId, networkId, reason: message }, 'a host could not make a network');
    }
    return true;
  } catch (error) {
    // Whatever it is: a host that was never told comes first, so one that cannot be told would take others' turns for ever.
    await postponeHost(cp.database, hostId, RETRY_MS);
    if (!(error instanceof DomainError)) throw error;
    cp.log.warn({ hostId, code: error.code, reason: error.message }, 'a host did not take its networks');
    return false;
  }
}
