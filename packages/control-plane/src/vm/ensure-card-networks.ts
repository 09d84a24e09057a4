import { DomainError, type VmHardware } from '@kvorum/schema';
import type { CallOptions } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { pushHostNetworks } from '../network/push-host-networks.js';
import { cardPortsOf } from './card-port.store.js';

/**
 * Has the VM's host make the networks of its cards, before it is told to run. Nothing for a VM without any. Throws host_fault with
 * the host's words for a network that it cannot make, and what pushHostNetworks throws.
 */
export async function ensureCardNetworks(
  services: Pick<ControlPlane, 'database' | 'agents'>,
  target: { readonly hostId: string; readonly hardware: VmHardware },
  options: CallOptions,
): Promise<void> {
  const networkIds = new Set(cardPortsOf([target]).map(({ networkId }) => networkId));
  if (networkIds.size === 0) return;
  const faults = await pushHostNetworks(services, target.hostId, options);
  const fault = faults.find(({ networkId }) => networkIds.has(networkId));
  if (fault === undefined) return;
  throw new DomainError('host_fault', `network ${fault.networkId}: ${fault.message}`, {
    details: { networkId: fault.networkId },
  });
}
