import { DomainError, type HostId } from '@kvorum/schema';
import type { HostReport } from '@kvorum/schema/agent-wire';
import type { ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { writeHostPools } from '../storage-pool/host-pools.store.js';
import { observeMissingVms, observeVms } from '../vm/observe-vm.js';
import { observeTemplates } from '../vm-template/observe-templates.js';
import { findHost } from './host.store.js';
import { checkReport } from './host-report.js';
import { REPORT_LEASE_MS, touchHost } from './host-report.store.js';
import type { AgentPool } from './pool-report.js';

/**
 * Takes in one report of a host: its facts, its connection, and what is true of its VMs, in one transaction. A report older
 * than one already seen changes nothing. Throws invalid_request for a report that no honest agent sends, and
 * host_not_trusted when the host was revoked: the stream has to end then.
 */
export async function observeHostReport(
  cp: ControlPlane,
  hostId: HostId,
  report: HostReport,
): Promise<{ leaseMs: number }> {
  const checked = checkReport(report);
  const isTaken = await withTransaction(cp.database, async (tx) => {
    const host = await touchHost(tx, hostId, checked);
    if (host === null) {
      const known = await findHost(tx, hostId);
      if (known === null || known.state === 'revoked') {
        throw new DomainError('host_not_trusted', 'the host was revoked; enrol it anew');
      }
      return false;
    }
    if (host.previousConnectivity !== 'connected') {
      await recordEvent(tx, {
        type: 'host.connectivity',
        projectId: null,
        resourceKind: 'host',
        resourceId: hostId,
        data: { name: host.name, from: host.previousConnectivity, to: 'connected' },
      });
    }
    if (checked.pools !== null) await observePools(tx, cp, hostId, checked.pools);
    await observeVms(tx, hostId, checked.vms);
    if (checked.isFull) await observeMissingVms(tx, hostId, checked.vms);
    return true;
  });
  if (isTaken && checked.isFull && checked.templateIds !== null) {
    await observeTemplates(cp, hostId, checked.templateIds, checked.facts !== null);
  }
  return { leaseMs: REPORT_LEASE_MS };
}

async function observePools(tx: Tx, cp: ControlPlane, hostId: HostId, pools: readonly AgentPool[]): Promise<void> {
  const foreign = await writeHostPools(tx, hostId, pools);
  if (foreign.length > 0) cp.log.warn({ hostId, pools: foreign }, "a host tells of another host's storage pools");
}
