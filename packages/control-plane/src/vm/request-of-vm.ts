import type { PlacementRequest } from '@kvorum/scheduler';
import { type CreateVmRequest, type Flavor, traitsNeededBy } from '@kvorum/schema';
import { amountsOfVm } from './amounts-of-vm.js';

/** What placement is asked for a VM that may go anywhere. */
export const requestOfVm = (
  vm: Pick<CreateVmRequest, 'accelerator' | 'hardware'> & { readonly vmGroupId?: string | null | undefined },
  size: Pick<Flavor, 'vcpuCount' | 'memoryBytes'>,
  diskBytes: number,
): PlacementRequest => ({
  ...amountsOfVm(vm, size, diskBytes),
  smt: vm.hardware.cpuPolicy.smt,
  accelerator: vm.accelerator ?? null,
  hostId: null,
  excludedHostIds: [],
  requiredTraits: traitsNeededBy(vm.hardware),
  ...(vm.vmGroupId == null ? {} : { groupIds: [vm.vmGroupId] }),
});
