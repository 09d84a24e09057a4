import type { ListPortsQuery, NetworkId, Page, Port, PortId, SecurityGroupId, VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { holdSecurityGroups } from '../security-group/security-group.store.js';
import { canSeeProject, notFound } from '../token/project-scope.js';
import { getNetwork } from './networks.js';
import { findPort, findPorts, holdVmOfProject } from './port.store.js';

export async function listPorts(
  cp: ControlPlane,
  actor: Actor,
  networkId: NetworkId,
  query: ListPortsQuery,
): Promise<Page<Port>> {
  await getNetwork(cp, actor, networkId);
  const { vmId, name, address } = query;
  return pageOfRows(await findPorts(cp.database, { networkId, vmId, name, address }, pageBounds(query)), query);
}

export async function getPort(cp: ControlPlane, actor: Actor, portId: PortId): Promise<Port> {
  return visiblePort(actor, await findPort(cp.database, portId));
}

/** The port, if the actor may know of it; otherwise there is none. */
export function visiblePort(actor: Actor, port: Port | null): Port {
  if (port === null || !canSeeProject(actor, port.projectId)) throw notFound('the port');
  return port;
}

/** What a port refers to must be of its project; it is held until the transaction ends. Throws not_found. */
export async function holdWhatPortNeeds(
  tx: Tx,
  projectId: string,
  { vmId, securityGroupIds }: { vmId?: VmId | null | undefined; securityGroupIds: readonly SecurityGroupId[] },
): Promise<void> {
  if (vmId !== undefined && vmId !== null && !(await holdVmOfProject(tx, vmId, projectId))) {
    throw notFound('the VM', 'body.vmId');
  }
  const held = await holdSecurityGroups(tx, securityGroupIds, projectId);
  const missing = securityGroupIds.findIndex((id) => !held.has(id));
  if (missing >= 0) throw notFound('the security group', `body.securityGroupIds.${missing}`);
}

export const recordPortChange = (
  tx: Tx,
  actor: Actor,
  port: Port,
  what: 'created' | 'changed' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `port.${what}`,
    projectId: port.projectId,
    resourceKind: 'port',
    resourceId: port.id,
    data: { networkId: port.networkId, address: port.address, macAddress: port.macAddress, by: actor.tokenName },
  });
