import { countMore } from '@kvorum/scheduler';
import { type Capacity, type CapacityQuery, PLAIN_HARDWARE } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { findFlavor } from '../flavor/flavor.store.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { requestOfVm } from '../vm/request-of-vm.js';
import { readPopulatedFleet } from './populated-fleet.store.js';

/** How many more VMs of a flavor fit, by zone or rack. Throws not_found, forbidden. */
export async function getCapacity(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  { flavorId, accelerator, level }: CapacityQuery,
): Promise<Capacity> {
  requireWholeSite(actor);
  const flavor = await findFlavor(cp.database, flavorId);
  if (flavor === null) throw notFound('the flavor', 'query.flavorId');
  const wanted = requestOfVm({ accelerator, hardware: PLAIN_HARDWARE }, flavor, flavor.rootDiskBytes);
  const { fleet } = await readPopulatedFleet(cp.database);
  const { count, isAtLeast, byDomain } = countMore(wanted, fleet, level);
  const domains = Object.entries(byDomain).map(([name, ofDomain]) => ({ name: name || null, count: ofDomain }));
  return { flavorId, count, isAtLeast, level, domains };
}
