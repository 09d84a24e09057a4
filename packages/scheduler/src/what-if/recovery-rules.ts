import { bindCoreFilters } from '../bind-rules.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import type { Moved } from '../request/group-members.js';
import { hardRulesOf } from '../request/group-rules.js';
import type { PlacedVm, PlacementRequest } from '../request/placement-request.js';
import { numaScore } from '../scores/numa.js';
import { SOFT_RULES_WEIGHT, softOpinionOf } from '../scores/soft-rules.js';
import type { RoomRules } from './group-room.js';
import { requestToMove } from './recover-vms.js';

export const isBoundByGroups = ({ request }: PlacedVm): boolean => (request.groupIds ?? []).length > 0;

/** NUMA nodes, CPUs or huge pages of its own: it is not enough to sum amounts up. */
export const isBoundInHost = ({ request }: PlacedVm): boolean =>
  request.numaNodeCount !== undefined ||
  request.guestNodes !== undefined ||
  request.dedicatedCpuCount + request.hugePages2MibBytes + request.hugePages1GibBytes > 0;

/** Whether a host admits the VM by what neither amounts nor sets of hosts say; null: nothing else decides. */
export function admissionOf(vm: PlacedVm, fleet: Fleet, moved: Moved): ((index: number) => boolean) | null {
  const byGroups = isBoundByGroups(vm);
  const inHost = isBoundInHost(vm);
  if (!byGroups && !inHost) return null;
  return admissionBy(requestToMove(vm), fleet, { moved, byGroups, inHost });
}

function admissionBy(
  request: PlacementRequest,
  fleet: Fleet,
  { moved, byGroups, inHost }: { readonly moved: Moved; readonly byGroups: boolean; readonly inHost: boolean },
): (index: number) => boolean {
  const hard = byGroups ? hardRulesOf(request, fleet, moved) : null;
  const core = inHost ? bindCoreFilters(request, fleet) : [];
  const { dedicatedCpuCount, hugePages2MibBytes, hugePages1GibBytes } = fleet.free;
  const hasOwn = (index: number): boolean =>
    cell(dedicatedCpuCount, index) >= request.dedicatedCpuCount &&
    cell(hugePages2MibBytes, index) >= request.hugePages2MibBytes &&
    cell(hugePages1GibBytes, index) >= request.hugePages1GibBytes &&
    core.every((filter) => filter.admits(index));
  return (index) => (hard === null || hard(index)) && (!inHost || hasOwn(index));
}

/** What beside vCPUs, memory, disk and sets of hosts decides where a VM goes; null: nothing. */
export function rulesOf(vm: PlacedVm, fleet: Fleet, moved: Moved): RoomRules | null {
  const byGroups = isBoundByGroups(vm);
  const inHost = isBoundInHost(vm);
  if (!byGroups && !inHost) return null;
  const request = requestToMove(vm);
  const soft = byGroups ? softOpinionOf(request, fleet, moved) : null;
  const nodes = inHost ? numaScore.bind(request, fleet) : null;
  return {
    admits: admissionBy(request, fleet, { moved, byGroups, inHost }),
    // In the order of the scores, so that the sum is the same number to the last bit.
    addTo: (total, index) => {
      const withSoft = soft === null ? total : total + SOFT_RULES_WEIGHT * soft(index);
      return nodes === null ? withSoft : withSoft + numaScore.weight * nodes.of(index);
    },
  };
}
