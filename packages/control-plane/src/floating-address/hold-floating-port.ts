import { DomainError, type PortId } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { findNetwork } from '../network/network.store.js';
import { lockPort } from '../network/port.store.js';
import { notFound } from '../token/project-scope.js';
import { findAddressOfPort, findHostWithout } from './floating-address.store.js';

const FIELD = 'body.portId';

/** Why guests of other kinds cannot be reached so, and what helps. */
const REFUSALS: Readonly<Record<string, string>> = {
  vxlan: 'is of a network of kind vxlan, which has no way out; give the VM a card on a network of kind nat',
  bridge: 'is on a wire of the site: it has an address there by itself; give the VM a card on a network of kind nat',
};

/**
 * A port that a floating address may lead to, held until the transaction ends: of the project and of a NAT network, with no such
 * address but `addressId`, on a host that can answer for it. Whoever locks both locks the port before the address, as what deletes a
 * port does. Throws not_found and conflict_state.
 */
export async function holdFloatingPort(
  tx: Tx,
  portId: PortId,
  { projectId, addressId }: { readonly projectId: string; readonly addressId: string },
): Promise<void> {
  const port = await lockPort(tx, portId);
  if (port === null || port.projectId !== projectId) throw notFound('the port', FIELD);
  const network = await findNetwork(tx, port.networkId);
  const refusal = network === null ? undefined : REFUSALS[network.kind];
  if (refusal !== undefined) throw refused(refusal);
  const other = await findAddressOfPort(tx, portId);
  if (other !== null && other.id !== addressId)
    throw refused(`is reached by ${other.address} already; release that first`);
  const without = await findHostWithout(tx, portId);
  if (without === null) return;
  throw refused(
    without.hostName === null
      ? 'cannot be reached so: no host has an interface for floating addresses; start agents with --floating-interface'
      : `is of a VM on ${without.hostName}, which has no interface for floating addresses; start its agent with --floating-interface, or move the VM`,
  );
}

const refused = (message: string): DomainError =>
  new DomainError('conflict_state', `the port ${message}`, { details: { fields: [{ field: FIELD, message }] } });
