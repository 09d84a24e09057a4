import type { ListNetworksQuery, Network, NetworkId, Page } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { findNetwork, findNetworks } from './network.store.js';

export async function listNetworks(cp: ControlPlane, actor: Actor, query: ListNetworksQuery): Promise<Page<Network>> {
  const filter = { projectId: listedProject(actor, query.projectId), name: query.name, kind: query.kind };
  return pageOfRows(await findNetworks(cp.database, filter, pageBounds(query)), query);
}

export async function getNetwork(cp: ControlPlane, actor: Actor, networkId: NetworkId): Promise<Network> {
  return visibleNetwork(actor, await findNetwork(cp.database, networkId));
}

/** The network, if the actor may know of it; otherwise there is none. */
export function visibleNetwork(actor: Actor, network: Network | null): Network {
  if (network === null || !canSeeProject(actor, network.projectId)) throw notFound('the network');
  return network;
}

export const recordNetworkChange = (
  tx: Tx,
  actor: Actor,
  network: Network,
  what: 'created' | 'changed' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `network.${what}`,
    projectId: network.projectId,
    resourceKind: 'network',
    resourceId: network.id,
    data: { name: network.name, kind: network.kind, cidr: network.cidr, by: actor.tokenName },
  });
