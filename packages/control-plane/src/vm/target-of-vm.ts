import type { DeleteVmInput } from './delete-vm.operation.js';
import type { VmForIntent } from './vm-intent.store.js';
import type { VmTarget } from './vm-operation.js';

/** The VM as an operation is told of it, for the intent after the one that was read. */
export function targetOf(vm: VmForIntent, epoch: number): VmTarget {
  const { hostId, accelerator, ...target } = deletionOf(vm, epoch);
  if (hostId === null || accelerator === null) throw new TypeError(`VM ${vm.vmId} was placed`);
  return { ...target, hostId, accelerator };
}

/** A VM that waited for a host in vain can be deleted, and nothing else. */
export function deletionOf(vm: VmForIntent, epoch: number): Omit<DeleteVmInput, 'isOnHost'> {
  const { vmId, projectId, hostId, accelerator, rootVolumeId } = vm;
  if (rootVolumeId === null) throw new TypeError(`VM ${vmId} has a root disk`);
  const { name, vcpuCount, memoryBytes, balloon, hardware, cloudInit, templateId } = vm;
  const spec = { name, vcpuCount, memoryBytes, accelerator, rootVolumeId, balloon, hardware, cloudInit, templateId };
  return { vmId, projectId, hostId, generation: vm.generation + 1, epoch, ...spec, pooledVolumes: [] };
}
