import type { FloatingAddress, FloatingAddressId, ListFloatingAddressesQuery, Page } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { findFloatingAddress, findFloatingAddresses } from './floating-address.store.js';

export async function listFloatingAddresses(
  cp: ControlPlane,
  actor: Actor,
  query: ListFloatingAddressesQuery,
): Promise<Page<FloatingAddress>> {
  const { rangeId, portId, address } = query;
  const filter = { projectId: listedProject(actor, query.projectId), rangeId, portId, address };
  return pageOfRows(await findFloatingAddresses(cp.database, filter, pageBounds(query)), query);
}

export async function getFloatingAddress(
  cp: ControlPlane,
  actor: Actor,
  addressId: FloatingAddressId,
): Promise<FloatingAddress> {
  return visibleAddress(actor, await findFloatingAddress(cp.database, addressId));
}

/** The address, if the actor may know of it; otherwise there is none. */
export function visibleAddress(actor: Actor, address: FloatingAddress | null): FloatingAddress {
  if (address === null || !canSeeProject(actor, address.projectId)) throw notFound('the floating address');
  return address;
}

export const recordAddressChange = (
  tx: Tx,
  actor: Actor,
  { id, projectId, address, portId }: FloatingAddress,
  what: 'created' | 'changed' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `floating-address.${what}`,
    projectId,
    resourceKind: 'floating-address',
    resourceId: id,
    data: { address, portId, by: actor.tokenName },
  });
