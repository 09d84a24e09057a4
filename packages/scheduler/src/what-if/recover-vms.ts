import { chooseHost } from '../choose-host.js';
import type { HostSet } from '../fleet/host-set.js';
import type { Trial } from '../plan/trial.js';
import type { PlacedVm, PlacementRequest } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';

/** The request of a VM that goes to another host: whichever will do. */
export const requestToMove = (vm: PlacedVm): PlacementRequest => ({
  ...vm.request,
  vmId: vm.vmId,
  hostId: null,
  excludedHostIds: [],
});

/** Large ones first, for they are the hardest to place; of equals the smallest id. */
export const largestFirst = (vms: readonly PlacedVm[]): PlacedVm[] =>
  vms.toSorted(
    (left, right) =>
      right.request.memoryBytes +
        right.request.hugePages2MibBytes +
        right.request.hugePages1GibBytes -
        (left.request.memoryBytes + left.request.hugePages2MibBytes + left.request.hugePages1GibBytes) ||
      right.request.vcpuCount - left.request.vcpuCount ||
      (left.vmId < right.vmId ? -1 : 1),
  );

/** Puts a VM that is nowhere on the best of the hosts; null: none fits. */
export function recoverVm(trial: Trial, vm: PlacedVm, within: HostSet): number | null {
  const { fleet } = trial;
  const request = requestToMove(vm);
  const index = chooseHost(request, fleet, { within });
  if (index === null) return null;
  trial.occupy({ ...vm, hostId: fleet.hostIds[index] as string, numa: planNuma(fleet, index, request) });
  return index;
}
