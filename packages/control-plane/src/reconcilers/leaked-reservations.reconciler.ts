import type { ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { release } from '../host/reservation.store.js';
import {
  findLeakedReservations,
  type RepairedCounter,
  repairHostCounters,
  repairPoolCounters,
  repairProjectCounters,
} from './leaked-reservations.store.js';

const RELEASES_PER_PASS_MAX = 100;

const FINDINGS = { run: 'reservation of a deleted VM', move: 'reservation of a move that has ended' } as const;

/**
 * Compares what is counted with what is there: reservations of deleted VMs are released, and counters that are not the sum
 * of their rows are put right. Each finding is an event and a warning, for none should ever be found. Returns how many.
 */
export async function reconcileLeakedReservations(cp: Pick<ControlPlane, 'database' | 'log'>): Promise<number> {
  const releasedCount = await withTransaction(cp.database, async (tx) => {
    const leaked = await findLeakedReservations(tx, RELEASES_PER_PASS_MAX);
    for (const { vm_id: vmId, host_id: hostId, purpose } of leaked) {
      await release(tx, vmId, purpose);
      await recordEvent(tx, {
        type: 'host.repaired',
        projectId: null,
        resourceKind: 'host',
        resourceId: hostId,
        data: { finding: FINDINGS[purpose], vmId },
      });
      cp.log.warn({ vmId, hostId }, `released a ${FINDINGS[purpose]}`);
    }
    return leaked.length;
  });
  const hosts = await withTransaction(cp.database, (tx) => repair(tx, cp, 'host', repairHostCounters));
  const projects = await withTransaction(cp.database, (tx) => repair(tx, cp, 'project', repairProjectCounters));
  const pools = await withTransaction(cp.database, (tx) => repair(tx, cp, 'storage-pool', repairPoolCounters));
  return releasedCount + hosts + projects + pools;
}

async function repair(
  tx: Tx,
  cp: Pick<ControlPlane, 'log'>,
  kind: 'host' | 'project' | 'storage-pool',
  repairCounters: (tx: Tx) => Promise<RepairedCounter[]>,
): Promise<number> {
  const repaired = await repairCounters(tx);
  for (const { id, name, before, after } of repaired) {
    await recordEvent(tx, {
      type: `${kind}.repaired`,
      projectId: kind === 'project' ? id : null,
      resourceKind: kind,
      resourceId: id,
      data: { finding: 'counters that were not the sum of their rows', name, before, after },
    });
    cp.log.warn({ kind, id, name, before, after }, 'repaired counters that were not the sum of their rows');
  }
  return repaired.length;
}
