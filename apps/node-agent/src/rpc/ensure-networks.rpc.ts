import { DomainError } from '@kvorum/schema';
import type { EnsureNetworksRequest, EnsureNetworksResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeNetworks } from './decode-networks.js';

export async function ensureNetworks(
  { networks }: AgentServices,
  request: EnsureNetworksRequest,
): Promise<EnsureNetworksResponse> {
  if (networks === null) {
    throw new DomainError('conflict_state', 'this host makes no networks; start its agent with --networks');
  }
  const { revision, ...desired } = decodeNetworks(request);
  const faults = await networks.keeper.ensure(revision, desired);
  return { faults: faults.map(({ networkId, error }) => ({ networkId, message: error.message })) };
}
