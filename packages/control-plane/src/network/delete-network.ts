import { DomainError, type NetworkId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { deleteNetworkRow, lockNetwork } from './network.store.js';
import { recordNetworkChange, visibleNetwork } from './networks.js';

/** Throws not_found, and in_use while it has ports. */
export async function deleteNetwork(cp: ControlPlane, actor: Actor, networkId: NetworkId): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const network = visibleNetwork(actor, await lockNetwork(tx, networkId));
    const { portCount } = network;
    if (portCount > 0) {
      throw new DomainError('in_use', `the network has ${portCount} ports; delete them first`, {
        details: { portCount },
      });
    }
    await deleteNetworkRow(tx, networkId);
    await recordNetworkChange(tx, actor, network, 'deleted');
  });
}
