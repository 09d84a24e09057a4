import { DomainError, type PortId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { deletePortRow, lockPort } from './port.store.js';
import { recordPortChange, visiblePort } from './ports.js';

/** Throws not_found, and in_use while it is for a VM: the port of a VM goes with the VM. */
export async function deletePort(cp: ControlPlane, actor: Actor, portId: PortId): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const port = visiblePort(actor, await lockPort(tx, portId));
    if (port.vmId !== null) {
      throw new DomainError('in_use', `the port is for VM ${port.vmId}; set its vmId to null, or delete the VM`, {
        details: { vmId: port.vmId },
      });
    }
    await deletePortRow(tx, portId);
    await recordPortChange(tx, actor, port, 'deleted');
  });
}
