import { type PlacementRequest, placeBatch } from '@kvorum/scheduler';
import {
  DomainError,
  type PlacementDecision,
  type SimulatedPlacement,
  type SimulatePlacementRequest,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { findFlavor } from '../flavor/flavor.store.js';
import { notFound } from '../token/project-scope.js';
import { requireLayout } from '../vm/amounts-of-vm.js';
import { diskBytesOf, rootDiskBytesOf } from '../vm/new-vm-hardware.js';
import { requestOfVm } from '../vm/request-of-vm.js';
import { findVmGroup } from '../vm-group/vm-group.store.js';
import { visibleVmGroup } from '../vm-group/vm-groups.js';
import { readPopulatedFleet } from './populated-fleet.store.js';
import { shownDecision } from './shown-decision.js';

/** What would be decided for these VMs now, each counted with those before it. Nothing is reserved. Throws not_found, forbidden. */
export async function simulatePlacement(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  request: SimulatePlacementRequest,
): Promise<SimulatedPlacement> {
  const requests: PlacementRequest[] = [];
  for (const [index, vm] of request.vms.entries()) {
    if (vm.hostId !== undefined && actor.projectId !== null) throw hostOfSite(`body.vms.${index}.hostId`);
    const flavor = await findFlavor(cp.database, vm.flavorId);
    if (flavor === null) throw notFound('the flavor', `body.vms.${index}.flavorId`);
    const at = `body.vms.${index}`;
    if (vm.vmGroupId !== undefined)
      visibleVmGroup(actor, await findVmGroup(cp.database, vm.vmGroupId), `body.vms.${index}.vmGroupId`);
    requireLayout({ ...flavor, hardware: vm.hardware }, `${at}.hardware`);
    const wanted = {
      ...requestOfVm(vm, flavor, diskBytesOf(rootDiskBytesOf(vm, flavor, at), vm.hardware.devices)),
      hostId: vm.hostId ?? null,
    };
    for (let count = 0; count < vm.count; count += 1) requests.push(wanted);
  }
  const { fleet } = await readPopulatedFleet(cp.database);
  const { outcome, placements } = placeBatch(requests, fleet, request.mode);
  return { outcome, decisions: placements.map(({ record }) => withoutHost(shownDecision(actor, record))) };
}

/** People of one project know the host of a VM that is theirs; here is none yet. */
const withoutHost = (decision: PlacementDecision): PlacementDecision =>
  decision.isLimited && decision.chosen !== null
    ? { ...decision, chosen: null, summary: `it fits on ${decision.candidateCount} of ${decision.hostCount} hosts` }
    : decision;

const hostOfSite = (field: string): DomainError =>
  new DomainError('forbidden', 'only tokens for the whole site name a host', {
    details: { fields: [{ field, message: 'needs a token for the whole site' }] },
  });
