import { MIB } from '../limits.js';
import type { VmHardware } from './vm-hardware.schema.js';
import type { GuestNode, VmMemory } from './vm-memory.schema.js';

/** A VM's size with what decides how it is laid out on a host. */
export interface VmSize {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly hardware: Pick<VmHardware, 'memory' | 'cpuPolicy'>;
}

/** A rule that a VM breaks. `field` is named from `hardware` down. */
export interface LayoutRefusal {
  readonly field: string;
  readonly message: string;
}

/**
 * What each NUMA node of the guest has, in order: vCPUs are numbered through. Even splits give what is left over to the
 * first nodes. Only for sizes that `layoutRefusals` finds nothing wrong with.
 */
export function guestNodesOf({ vcpuCount, memoryBytes, hardware }: VmSize): readonly GuestNode[] {
  const { numaNodes, numaNodeCount } = hardware.memory;
  if (numaNodes !== null) return numaNodes;
  const unitBytes = memoryUnitOf(hardware.memory);
  const share = (amount: number, index: number): number =>
    Math.floor(amount / numaNodeCount) + (index < amount % numaNodeCount ? 1 : 0);
  return Array.from({ length: numaNodeCount }, (_, index) => ({
    vcpuCount: share(vcpuCount, index),
    memoryBytes: share(memoryBytes / unitBytes, index) * unitBytes,
  }));
}

const memoryUnitOf = (memory: VmMemory): number => memory.hugePageBytes ?? MIB;

/**
 * Why a VM of this size cannot be laid out as asked, each with its field; empty: it can. The one rule for the API's edge and
 * for the driver's.
 */
export function layoutRefusals({ vcpuCount, memoryBytes, hardware }: VmSize): readonly LayoutRefusal[] {
  const { numaNodeCount, numaNodes, hugePageBytes } = hardware.memory;
  const refusals: LayoutRefusal[] = [];
  const refuse = (field: string, message: string): void => void refusals.push({ field: `memory.${field}`, message });
  if (numaNodeCount > vcpuCount) refuse('numaNodeCount', `must be at most the vCPUs of the VM, ${vcpuCount}`);
  if (hugePageBytes !== null && memoryBytes % hugePageBytes !== 0) {
    refuse('hugePageBytes', `does not divide the memory of the VM, ${memoryBytes} bytes`);
  } else if (memoryBytes / memoryUnitOf(hardware.memory) < numaNodeCount) {
    refuse('numaNodeCount', 'must leave each node a page of memory');
  }
  if (numaNodes === null) return refusals;
  const sum = (of: (node: GuestNode) => number): number => numaNodes.reduce((total, node) => total + of(node), 0);
  const vcpusOfNodes = sum((node) => node.vcpuCount);
  const bytesOfNodes = sum((node) => node.memoryBytes);
  if (vcpusOfNodes !== vcpuCount) refuse('numaNodes', `have ${vcpusOfNodes} vCPUs, the VM has ${vcpuCount}`);
  if (bytesOfNodes !== memoryBytes) refuse('numaNodes', `have ${bytesOfNodes} bytes, the VM has ${memoryBytes}`);
  const uneven = numaNodes.findIndex((node) => hugePageBytes !== null && node.memoryBytes % hugePageBytes !== 0);
  if (uneven >= 0) refuse(`numaNodes.${uneven}.memoryBytes`, 'must be a whole number of huge pages');
  return refusals;
}

/** Memory that must stay where it is: a balloon could not take any of it, or would take what was promised. */
export const isMemoryFixed = (memory: Pick<VmMemory, 'hugePageBytes' | 'isLocked'>): boolean =>
  memory.hugePageBytes !== null || memory.isLocked;

/**
 * Host CPUs that a VM has for itself on a host with so many threads per core: with `isolate` a core for each vCPU, with
 * `require` whole cores. 0: it takes turns with others.
 */
export function dedicatedCpuCount(
  { vcpuCount, hardware: { cpuPolicy } }: Pick<VmSize, 'vcpuCount' | 'hardware'>,
  threadsPerCore: number,
): number {
  if (cpuPolicy.policy === 'shared') return 0;
  if (cpuPolicy.smt === 'isolate') return vcpuCount * threadsPerCore;
  return cpuPolicy.smt === 'require' ? Math.ceil(vcpuCount / threadsPerCore) * threadsPerCore : vcpuCount;
}
