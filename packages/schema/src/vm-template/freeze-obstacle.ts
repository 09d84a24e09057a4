import type { VmHardware } from '../vm/vm-hardware.schema.js';
import { isMemoryFixed } from '../vm/vm-layout.js';

/** Why a machine cannot be made a template. */
export interface FreezeObstacle {
  /** Of the VM. */
  readonly field: string;
  /** Of a VM, as in "a VM with a TPM". */
  readonly what: string;
  readonly remedy: string;
}

const UPDATE = 'update the VM, restart it, and freeze it then';

/**
 * The one rule of which machines can be frozen, of the control plane, which asks before it begins, and of the driver, which asks again.
 * Empty: nothing of its hardware is in the way.
 */
export function freezeObstaclesOf({ firmware, devices, memory, cpuPolicy }: VmHardware): FreezeObstacle[] {
  const obstacles: FreezeObstacle[] = [];
  const add = (isThere: boolean, field: string, what: string, remedy: string): void => {
    if (isThere) obstacles.push({ field: `hardware.${field}`, what, remedy });
  };
  // A copied TPM would vouch for two machines as one.
  add(firmware.tpm !== 'none', 'firmware.tpm', 'with a TPM', `set it to none: ${UPDATE}`);
  add(firmware.kind !== 'bios', 'firmware.kind', 'with UEFI firmware', 'freeze a VM with BIOS firmware');
  const hasDisks = devices.dataDisks.length > 0;
  add(hasDisks, 'devices.dataDisks', 'with data disks', 'remove or detach them; a fork gets its own afterwards');
  const room = 'with room for more memory or vCPUs';
  add(devices.maxMemoryBytes !== null, 'devices.maxMemoryBytes', room, `set it to null: ${UPDATE}`);
  add(devices.maxVcpuCount !== null, 'devices.maxVcpuCount', room, `set it to null: ${UPDATE}`);
  // Forks share the template's memory, which is in pages of the usual size, on whatever node they were first read.
  const isOrdinary = !isMemoryFixed(memory) && !memory.isPreallocated && memory.numaNodeCount === 1;
  const fixed = 'whose memory is fixed, of huge pages or bound to NUMA nodes';
  add(!isOrdinary, 'memory', fixed, `leave memory at its defaults: ${UPDATE}`);
  add(cpuPolicy.policy === 'dedicated', 'cpuPolicy.policy', fixed, `set it to shared: ${UPDATE}`);
  return obstacles;
}
