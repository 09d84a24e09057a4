import { createHash } from 'node:crypto';
import { DomainError } from '@kvorum/schema';
import type { AgentNetworkFault, CallOptions } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { findHostAddress } from '../host/host.store.js';
import { lockHostNetworks, readHostNetworks, writeApplied, writeDesired } from './host-networks.store.js';

/** Somebody else told the host meanwhile, of a later record than ours; ours is then to be computed anew. */
const ATTEMPTS_MAX = 5;

/**
 * Computes what a host is to have of networks, and has its agent make it so. May be repeated, and done by several at a time: the
 * agent keeps the highest revision, which was computed from the latest record. Answers with networks that are not as they are to
 * be. Throws what AgentPort.ensureNetworks throws.
 */
export async function pushHostNetworks(
  cp: Pick<ControlPlane, 'database' | 'agents'>,
  hostId: string,
  options: CallOptions,
): Promise<readonly AgentNetworkFault[]> {
  let seenRevision = 0;
  for (let attempt = 1; ; attempt += 1) {
    const { revision, desired } = await computeHostNetworks(cp, hostId, seenRevision);
    // Never told of any, and has none: a host whose agent makes no networks is not asked.
    if (revision === 0) return [];
    const host = await findHostAddress(cp.database, hostId);
    if (host === null) throw new DomainError('host_not_trusted', 'the host is not known any more');
    try {
      const faults = await cp.agents.agentOf(host).ensureNetworks(revision, desired, options);
      await writeApplied(cp.database, hostId, { revision, faults });
      return faults;
    } catch (error) {
      const isOvertaken = error instanceof DomainError && error.code === 'stale_generation';
      if (!isOvertaken || attempt >= ATTEMPTS_MAX) throw error;
      const seen = Number(error.details['revision']);
      seenRevision = Number.isSafeInteger(seen) ? seen : 0;
    }
  }
}

/**
 * The revision grows only if something differs, and beyond what the host has seen: that is more than we know of only if the
 * database was put back to an older state.
 */
function computeHostNetworks(cp: Pick<ControlPlane, 'database'>, hostId: string, seenRevision: number) {
  return withTransaction(cp.database, async (tx) => {
    const before = await lockHostNetworks(tx, hostId);
    const desired = await readHostNetworks(tx, hostId);
    const sha256 = createHash('sha256').update(JSON.stringify(desired)).digest('hex');
    const networkCount = desired.networks.length;
    const isSame = sha256 === before.desiredSha256 || (before.revision === 0 && networkCount === 0);
    const isBehind = before.revision < seenRevision;
    const revision = isSame && !isBehind ? before.revision : Math.max(before.revision, seenRevision) + 1;
    await writeDesired(tx, hostId, { revision, sha256: revision === 0 ? '' : sha256, networkCount });
    return { revision, desired };
  });
}
