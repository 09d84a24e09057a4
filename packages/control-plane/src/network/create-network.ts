import {
  type CreateNetworkRequest,
  DomainError,
  formatIpv4,
  MTU_DEFAULT,
  NETWORKS_PER_PROJECT_MAX,
  type Network,
  type NetworkId,
  newId,
  type Project,
  parseIpv4Cidr,
  VXLAN_OVERHEAD_BYTES,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import {
  findNetwork,
  hasNetworkOfName,
  insertNetwork,
  lockNetworksOfProject,
  type NewNetwork,
} from './network.store.js';
import { getNetwork, recordNetworkChange, visibleNetwork } from './networks.js';

const CREATED_STATUS = 201;

/**
 * Makes a network. Its range must not overlap another of the project's: a guest with a port on both could not tell them
 * apart. Throws forbidden, not_found, already_exists, conflict_state, quota_exceeded.
 */
export async function createNetwork(
  cp: ControlPlane,
  actor: Actor,
  request: CreateNetworkRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<Network> {
  requireRightToWires(actor, request);
  const id = newId<NetworkId>();
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return getNetwork(cp, actor, before.resourceId as NetworkId);
    const project = await projectForNew(tx, actor, request.projectId);
    await requireRoom(tx, project, request.cidr);
    const network = { ...withDefaults(request), id, projectId: project.id, now: cp.clock() };
    if (!(await insertNetwork(tx, network))) throw await taken(tx, network);
    const made = visibleNetwork(actor, await findNetwork(tx, id));
    await recordNetworkChange(tx, actor, made, 'created');
    return made;
  });
}

/** On a wire of the site, guests reach whatever else is there. */
function requireRightToWires(actor: Actor, request: CreateNetworkRequest): void {
  if (request.kind !== 'bridge' || actor.role === 'admin') return;
  throw new DomainError('forbidden', 'only admins make networks on wires of the site; use nat or vxlan', {
    details: { fields: [{ field: 'body.kind', message: 'bridge needs the role admin' }] },
  });
}

async function requireRoom(tx: Tx, project: Project, cidr: string): Promise<void> {
  const { networkCount, overlapping } = await lockNetworksOfProject(tx, project.id, cidr);
  if (overlapping !== null) {
    const message = `overlaps ${overlapping.cidr} of the project's network ${overlapping.name}; choose another range`;
    throw new DomainError('conflict_state', `${cidr} ${message}`, {
      details: { fields: [{ field: 'body.cidr', message }] },
    });
  }
  if (networkCount < NETWORKS_PER_PROJECT_MAX) return;
  throw new DomainError('quota_exceeded', `the project has ${networkCount} networks, the most it may have`, {
    details: { networkCount, networkCountMax: NETWORKS_PER_PROJECT_MAX },
  });
}

function withDefaults(request: CreateNetworkRequest): Omit<NewNetwork, 'id' | 'projectId' | 'now'> {
  const { name, kind, cidr, uplink = null, vlanId = null } = request;
  const range = parseIpv4Cidr(cidr);
  if (range === null) throw new TypeError(`${cidr} was checked before`);
  const mtu = kind === 'vxlan' ? MTU_DEFAULT - VXLAN_OVERHEAD_BYTES : MTU_DEFAULT;
  return {
    name,
    kind,
    cidr,
    uplink,
    vlanId,
    gateway: request.gateway ?? formatIpv4(range.first + 1),
    dnsDomain: request.dnsDomain ?? `${name}.internal`,
    mtu: request.mtu ?? mtu,
  };
}

async function taken(tx: Tx, { projectId, name, uplink, vlanId }: NewNetwork): Promise<DomainError> {
  if (await hasNetworkOfName(tx, projectId, name)) {
    return new DomainError('already_exists', `the project has a network called ${name} already`, {
      details: { fields: [{ field: 'body.name', message: 'is taken' }] },
    });
  }
  const wire = `${uplink}, ${vlanId === null ? 'untagged' : `VLAN ${vlanId}`}`;
  const field = vlanId === null ? 'body.uplink' : 'body.vlanId';
  return new DomainError('already_exists', `there is a network on this wire already: ${wire}`, {
    details: { fields: [{ field, message: 'is taken by another network' }] },
  });
}
