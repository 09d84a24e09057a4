import { DomainError, type Network, type NetworkId, type UpdateNetworkRequest } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { findNetwork, lockNetwork, writeNetwork } from './network.store.js';
import { recordNetworkChange, visibleNetwork } from './networks.js';

/** Throws not_found, already_exists, precondition_failed. */
export async function updateNetwork(
  cp: ControlPlane,
  actor: Actor,
  networkId: NetworkId,
  request: UpdateNetworkRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<Network> {
  return withTransaction(cp.database, async (tx) => {
    const before = visibleNetwork(actor, await lockNetwork(tx, networkId));
    requireGeneration('network', before, options.ifMatch);
    const { name, dnsDomain } = request;
    if (!(await writeNetwork(tx, before, { name, dnsDomain, now: cp.clock() }))) {
      throw new DomainError('already_exists', `the project has a network called ${name} already`, {
        details: { fields: [{ field: 'body.name', message: 'is taken' }] },
      });
    }
    const network = visibleNetwork(actor, await findNetwork(tx, networkId));
    await recordNetworkChange(tx, actor, network, 'changed');
    return network;
  });
}
