import { isDeepStrictEqual } from 'node:util';
import { DomainError, type Network, type NetworkId, type Nic, newId, type PortId } from '@kvorum/schema';
import type { Actor } from '../control-plane.js';
import type { Database, Tx } from '../database/database.js';
import { makePort } from '../network/create-port.js';
import { findNetwork } from '../network/network.store.js';
import { findPort, findTakenValue, lockPort, UNLIMITED, writePort } from '../network/port.store.js';
import { holdWhatPortNeeds } from '../network/ports.js';
import { notFound } from '../token/project-scope.js';
import { refusalOf } from './assign-devices.js';
import { type CardPort, cardPortsOf } from './card-port.store.js';
import type { VmShape } from './vm-shape.js';

const FIELD = 'body.hardware.devices.nics';

interface CardsQuestion {
  readonly actor: Actor;
  readonly projectId: string;
  /** Null: it is yet to be. */
  readonly vmId: string | null;
  readonly wanted: readonly Nic[];
  /** Cards that the VM has, or is to have. */
  readonly known: readonly Nic[];
}

/**
 * The cards with what the site gives those on networks: the port, its network with the kind, and the MAC address of a port that
 * is there. Nothing is held: `claimPorts` looks again. Throws not_found, invalid_request and conflict_state that name the card.
 */
export async function withPorts(database: Database | Tx, question: CardsQuestion): Promise<Nic[]> {
  const { wanted, known } = question;
  const answered: Nic[] = [];
  for (const [index, nic] of wanted.entries()) {
    const field = `${FIELD}[${index}].backend`;
    const before = known.find(({ id }) => id !== null && id === nic.id);
    if (before !== undefined && !isDeepStrictEqual(before.backend, nic.backend)) {
      throw refusalOf(field, 'is where the card is plugged in: remove this card and add another');
    }
    const isSettled = nic.id !== null || nic.backend.kind !== 'network';
    answered.push(isSettled ? nic : await withPort(database, question, nic, field));
  }
  return answered;
}

async function withPort(
  database: Database | Tx,
  { projectId, vmId }: CardsQuestion,
  nic: Nic,
  field: string,
): Promise<Nic> {
  const { backend } = nic;
  if (backend.kind !== 'network') return nic;
  const { portId, networkId } = backend;
  if (portId === null) {
    const network = await networkOf(database, networkId, projectId, `${field}.networkId`);
    const own = { portId: newId<PortId>(), networkKind: network.kind, ownsPort: true };
    return { ...nic, backend: { ...backend, ...own } };
  }
  const port = await findPort(database, portId);
  if (port === null || port.projectId !== projectId) throw notFound('the port', `${field}.portId`);
  if (port.vmId !== null && port.vmId !== vmId) throw portTaken(port.vmId, `${field}.portId`);
  if (networkId !== null && networkId !== port.networkId)
    throw refusalOf(`${field}.networkId`, 'is not that of the port');
  if (nic.macAddress !== null && nic.macAddress !== port.macAddress) {
    throw refusalOf(
      field.replace('backend', 'macAddress'),
      `is not that of the port, ${port.macAddress}; leave it out`,
    );
  }
  if (backend.securityGroupIds.length > 0)
    throw refusalOf(`${field}.securityGroupIds`, 'are those of the port; change it');
  const network = await networkOf(database, port.networkId, projectId, `${field}.portId`);
  const found = { networkId: port.networkId, networkKind: network.kind, ownsPort: false };
  return { ...nic, macAddress: port.macAddress, backend: { ...backend, ...found } };
}

/** Of the VM's project, whoever asks. */
async function networkOf(
  database: Database | Tx,
  networkId: NetworkId | null,
  projectId: string,
  field: string,
): Promise<Network> {
  const network = networkId === null ? null : await findNetwork(database, networkId);
  if (network === null || network.projectId !== projectId) throw notFound('the network', field);
  return network;
}

const portTaken = (vmId: string, field: string): DomainError =>
  new DomainError('conflict_state', `${field} is for VM ${vmId}; take another, or set its vmId to null`, {
    details: { vmId, fields: [{ field, message: `is for VM ${vmId}` }] },
  });

export interface PortsClaim {
  readonly actor: Actor;
  readonly vmId: string;
  readonly vmName: string;
  readonly projectId: string;
  /** Cards that are new. */
  readonly shapes: readonly Pick<VmShape, 'hardware'>[];
  readonly now: Date;
}

/**
 * Makes the ports of new cards, and takes those that are there already, for VMs whose rows are written. Locks networks in the order
 * of their ids. Throws not_found, conflict_state, already_exists, quota_exceeded.
 */
export async function claimPorts(tx: Tx, claims: readonly PortsClaim[]): Promise<void> {
  const wanted = claims
    .flatMap((claim) => cardPortsOf(claim.shapes).map((card) => ({ claim, card })))
    .sort((one, other) => one.card.networkId.localeCompare(other.card.networkId));
  for (const { claim, card } of wanted)
    await (card.ownsPort ? makeCardPort(tx, claim, card) : takePort(tx, claim, card));
}

async function makeCardPort(
  tx: Tx,
  { actor, vmId, vmName, projectId, now }: PortsClaim,
  card: CardPort,
): Promise<void> {
  const { networkId, portId, macAddress, securityGroupIds } = card;
  const network = await networkOf(tx, networkId, projectId, FIELD);
  // The VM's name is the port's, unless another port of the network has it; the index decides between two at once.
  const taken = await findTakenValue(tx, { networkId: network.id, name: vmName, macAddress, address: null });
  const name = taken?.value === 'name' ? null : vmName;
  await holdWhatPortNeeds(tx, projectId, { securityGroupIds });
  const addresses = { name, macAddress, address: null };
  const port = { id: portId, vmId, ...addresses, securityGroupIds: [...securityGroupIds], ...UNLIMITED, now };
  await makePort(tx, actor, network, port);
}

async function takePort(tx: Tx, { vmId, projectId, now }: PortsClaim, { portId }: CardPort): Promise<void> {
  const port = await lockPort(tx, portId);
  if (port === null || port.projectId !== projectId) throw notFound('the port', FIELD);
  if (port.vmId === vmId) return;
  if (port.vmId !== null) throw portTaken(port.vmId, FIELD);
  await writePort(tx, portId, { ...port, vmId, now });
}
