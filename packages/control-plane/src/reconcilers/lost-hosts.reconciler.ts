import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { markLostHosts } from '../host/host-report.store.js';
import { HOST_LOST_MOVES } from '../vm/observe-vm.js';
import { applyHostLost } from '../vm/observe-vm.store.js';

/**
 * Hosts that have not reported for their lease become unreachable, and what ran on them unknown. Nothing is started
 * elsewhere on that evidence: unreachable is not dead. Returns how many hosts were lost now.
 */
export async function reconcileLostHosts(cp: Pick<ControlPlane, 'database' | 'log'>): Promise<number> {
  const lost = await withTransaction(cp.database, async (tx) => {
    const hosts = await markLostHosts(tx);
    for (const { id, name } of hosts) {
      await recordEvent(tx, {
        type: 'host.connectivity',
        projectId: null,
        resourceKind: 'host',
        resourceId: id,
        data: { name, from: 'connected', to: 'unreachable' },
      });
    }
    return hosts;
  });
  for (const { id, name } of lost) cp.log.warn({ hostId: id, hostName: name }, 'a host has stopped reporting');
  // A transaction of its own: it locks VMs, and reports lock their host before their VMs.
  await withTransaction(cp.database, (tx) => applyHostLost(tx, HOST_LOST_MOVES));
  return lost.length;
}
