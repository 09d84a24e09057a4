import { randomBytes } from 'node:crypto';
import {
  addressFault,
  type CreatePortRequest,
  DomainError,
  type Network,
  type NetworkId,
  newId,
  type Port,
  type PortId,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { notFound } from '../token/project-scope.js';
import { findNetwork, lockAddresses } from './network.store.js';
import { visibleNetwork } from './networks.js';
import { addGroups, findTakenValue, insertPort, type NewPort } from './port.store.js';
import { getPort, holdWhatPortNeeds, recordPortChange } from './ports.js';

const CREATED_STATUS = 201;

/** Throws not_found, invalid_request, already_exists, and quota_exceeded when no address is free. */
export async function createPort(
  cp: ControlPlane,
  actor: Actor,
  networkId: NetworkId,
  request: CreatePortRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<Port> {
  const id = newId<PortId>();
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return getPort(cp, actor, before.resourceId as PortId);
    const network = visibleNetwork(actor, await findNetwork(tx, networkId));
    requireUsable(network, request.address);
    await holdWhatPortNeeds(tx, network.projectId, request);
    return makePort(tx, actor, network, {
      id,
      vmId: request.vmId ?? null,
      name: request.name ?? null,
      macAddress: request.macAddress ?? randomMacAddress(),
      address: request.address ?? null,
      securityGroupIds: request.securityGroupIds,
      ingressBitsPerSecond: request.ingressBitsPerSecond ?? null,
      egressBitsPerSecond: request.egressBitsPerSecond ?? null,
      now: cp.clock(),
    });
  });
}

/**
 * Records a port whose VM and groups are held. Locks the network. Throws not_found for a network that has gone, already_exists, and
 * quota_exceeded when no address is free.
 */
export async function makePort(
  tx: Tx,
  actor: Actor,
  network: Network,
  { securityGroupIds, ...wanted }: Omit<NewPort, 'networkId'> & Pick<Port, 'securityGroupIds'>,
): Promise<Port> {
  const { id, vmId, name, macAddress, ingressBitsPerSecond, egressBitsPerSecond, now } = wanted;
  if (!(await lockAddresses(tx, network.id))) throw notFound('the network');
  const address = await insertPort(tx, { ...wanted, networkId: network.id });
  if (address === null) throw await refused(tx, network, { ...wanted, networkId: network.id });
  await addGroups(tx, id, securityGroupIds);
  const port = {
    ...{ id, networkId: network.id, projectId: network.projectId, vmId, name, macAddress, address, generation: 1 },
    ...{ securityGroupIds: securityGroupIds.toSorted(), ingressBitsPerSecond, egressBitsPerSecond },
    ...{ createdAt: now.toISOString(), updatedAt: now.toISOString() },
  };
  await recordPortChange(tx, actor, port, 'created');
  return port;
}

function requireUsable({ cidr, gateway }: Network, address: string | undefined): void {
  if (address === undefined) return;
  const fault = address === gateway ? 'is the gateway of the network' : addressFault(cidr, address);
  if (fault === null) return;
  throw new DomainError('invalid_request', `body.address: ${address} ${fault}`, {
    details: { fields: [{ field: 'body.address', message: fault }] },
  });
}

const FIRST_OCTET = '52';
const RANDOM_OCTETS = 5;

/**
 * Locally administered and unicast, beginning as QEMU's do; 40 random bits, so that two of a network with the most ports are
 * the same once in 500 such networks. The unique index refuses the second one then.
 */
const randomMacAddress = (): string =>
  [FIRST_OCTET, ...[...randomBytes(RANDOM_OCTETS)].map((octet) => octet.toString(16).padStart(2, '0'))].join(':');

async function refused(tx: Tx, network: Network, port: NewPort): Promise<DomainError> {
  const taken = await findTakenValue(tx, port);
  if (taken === null) {
    return new DomainError('quota_exceeded', `all addresses of ${network.cidr} are taken; delete ports`);
  }
  const { value, portId } = taken;
  const message = `is taken by port ${portId}`;
  return new DomainError('already_exists', `${port[value]} ${message}`, {
    details: { portId, fields: [{ field: `body.${value}`, message }] },
  });
}
