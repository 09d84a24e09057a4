import { DomainError, type HostId } from '@kvorum/schema';
import type { HostReport } from '@kvorum/schema/agent-wire';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { observeMissingVms, observeVms } from '../vm/observe-vm.js';
import { findHost } from './host.store.js';
import { checkReport } from './host-report.js';
import { REPORT_LEASE_MS, touchHost } from './host-report.store.js';

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
  await withTransaction(cp.database, async (tx) => {
    const host = await touchHost(tx, hostId, checked);
    if (host === null) {
      const known = await findHost(tx, hostId);
      if (known === null || known.state === 'revoked') {
        throw new DomainError('host_not_trusted', 'the host was revoked; enrol it anew');
      }
      return;
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
    await observeVms(tx, hostId, checked.vms);
    if (checked.isFull) await observeMissingVms(tx, hostId, checked.vms);
  });
  return { leaseMs: REPORT_LEASE_MS };
}
