import type { PlacementRequest } from '@kvorum/scheduler';
import {
  type CreateVmRequest,
  type Flavor,
  GIB,
  guestNodesOf,
  MIB,
  traitsNeededBy,
  type VmHardware,
} from '@kvorum/schema';
import { amountsOfVm } from './amounts-of-vm.js';

/** What placement is asked for a VM that may go anywhere. */
export const requestOfVm = (
  vm: Pick<CreateVmRequest, 'accelerator' | 'hardware'> & {
    readonly vmGroupId?: string | null | undefined;
    readonly highAvailability?: boolean | undefined;
    readonly cloudInit?: object | null | undefined;
  },
  size: Pick<Flavor, 'vcpuCount' | 'memoryBytes'>,
  diskBytes: number,
): PlacementRequest => ({
  ...amountsOfVm(vm, size, diskBytes),
  ...guestNodesOfVm(vm.hardware, size),
  smt: vm.hardware.cpuPolicy.smt,
  accelerator: vm.accelerator ?? null,
  hostId: null,
  excludedHostIds: [],
  requiredTraits: traitsNeededBy(vm.hardware, vm.cloudInit),
  ...storagePoolsOf(vm.hardware),
  ...(vm.highAvailability === true ? { isHighlyAvailable: true } : {}),
  ...(vm.vmGroupId == null ? {} : { groupIds: [vm.vmGroupId] }),
});

/** Its host has to reach all of them. */
function storagePoolsOf({ devices }: VmHardware): Pick<PlacementRequest, 'storagePoolIds'> {
  const poolIds = [devices.rootDisk, ...devices.dataDisks].flatMap(({ poolId }) => poolId ?? []);
  return poolIds.length === 0 ? {} : { storagePoolIds: [...new Set(poolIds)].sort() };
}

/** Of a VM for which a host's agent keeps parts of its nodes: CPUs, huge pages, memory near them. Others go anywhere. */
function guestNodesOfVm(
  hardware: VmHardware,
  size: Pick<Flavor, 'vcpuCount' | 'memoryBytes'>,
): Pick<PlacementRequest, 'guestNodes'> {
  const { hugePageBytes } = hardware.memory;
  const nodes = guestNodesOf({ ...size, hardware });
  const isDedicated = hardware.cpuPolicy.policy === 'dedicated';
  if (!isDedicated && hugePageBytes === null && nodes.length === 1) return {};
  const inPages = (bytes: number, pageBytes: number | null): number => (hugePageBytes === pageBytes ? bytes : 0);
  return {
    guestNodes: nodes.map(({ vcpuCount, memoryBytes }) => ({
      cpuCount: isDedicated ? vcpuCount : 0,
      memoryBytes: inPages(memoryBytes, null),
      hugePages2MibBytes: inPages(memoryBytes, 2 * MIB),
      hugePages1GibBytes: inPages(memoryBytes, GIB),
    })),
  };
}
