import type { FloatingAddress, FloatingAddressId, UpdateFloatingAddressRequest } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { findFloatingAddress, lockFloatingAddress, writeFloatingPort } from './floating-address.store.js';
import { recordAddressChange, visibleAddress } from './floating-addresses.js';
import { holdFloatingPort } from './hold-floating-port.js';

/**
 * Leads the address to a port, to another one, or to none. Hosts are told by what the database notes of it. Throws not_found,
 * conflict_state, precondition_failed.
 */
export async function updateFloatingAddress(
  cp: ControlPlane,
  actor: Actor,
  addressId: FloatingAddressId,
  { portId }: UpdateFloatingAddressRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<FloatingAddress> {
  return withTransaction(cp.database, async (tx) => {
    const { projectId } = visibleAddress(actor, await findFloatingAddress(tx, addressId));
    if (portId !== null) await holdFloatingPort(tx, portId, { projectId, addressId });
    const before = visibleAddress(actor, await lockFloatingAddress(tx, addressId));
    requireGeneration('floating address', before, options.ifMatch);
    if (before.portId === portId) return before;
    await writeFloatingPort(tx, addressId, portId, cp.clock());
    const address = visibleAddress(actor, await findFloatingAddress(tx, addressId));
    await recordAddressChange(tx, actor, address, 'changed');
    return address;
  });
}
