import type { FloatingAddressId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { deleteFloatingAddressRow, lockFloatingAddress } from './floating-address.store.js';
import { recordAddressChange, visibleAddress } from './floating-addresses.js';

/** Gives the address back, whatever it leads to: that is then reached by it no more. Throws not_found. */
export async function deleteFloatingAddress(
  cp: ControlPlane,
  actor: Actor,
  addressId: FloatingAddressId,
): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const address = visibleAddress(actor, await lockFloatingAddress(tx, addressId));
    await deleteFloatingAddressRow(tx, addressId);
    await recordAddressChange(tx, actor, address, 'deleted');
  });
}
