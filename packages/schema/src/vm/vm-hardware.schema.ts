import { z } from 'zod';
import { MachineType } from './machine-type.js';
import { VmCpu } from './vm-cpu.schema.js';
import { VmCpuPolicy } from './vm-cpu-policy.schema.js';
import { VmDevices } from './vm-devices.schema.js';
import { VmDisplay } from './vm-display.schema.js';
import { VmFirmware } from './vm-firmware.schema.js';
import { VmMemory } from './vm-memory.schema.js';

/**
 * The machine a VM is, beyond its size: one object from the request through the database, the wire and the agent's record to
 * the driver, checked by this one shape at each border (decision 9). Every field has a default, so that `{}` is a plain
 * machine and what was stored before a field existed still reads.
 */
export const VmHardware = z
  .strictObject({
    cpu: VmCpu.prefault({}),
    cpuPolicy: VmCpuPolicy.prefault({}),
    memory: VmMemory.prefault({}),
    firmware: VmFirmware.prefault({}),
    devices: VmDevices.prefault({}),
    display: VmDisplay.prefault({}),
    machineType: MachineType.nullable().default(null).meta({
      description: 'null: the newest of the host of its first start. What it has then stays, whatever QEMU becomes',
    }),
  })
  .superRefine((hardware, context) => {
    const refuse = (name: string, reason: string | null): void => {
      if (reason === null) return;
      const message = `does not go with ${reason}: set it to null, or leave that out`;
      context.addIssue({ code: 'custom', path: ['devices', name], message });
    };
    if (hardware.devices.maxVcpuCount !== null) refuse('maxVcpuCount', vcpuRoomRefusal(hardware));
    if (hardware.devices.maxMemoryBytes !== null) refuse('maxMemoryBytes', memoryRoomRefusal(hardware));
  })
  .meta({ id: 'VmHardware' });
export type VmHardware = z.infer<typeof VmHardware>;

interface Layout {
  readonly cpu: VmCpu;
  readonly cpuPolicy: VmCpuPolicy;
  readonly memory: VmMemory;
}

/** What of a machine fixes its vCPUs from the start, in words; null: more of them can be added while it runs. */
export function vcpuRoomRefusal({ cpu, cpuPolicy, memory }: Layout): string | null {
  if (cpuPolicy.policy === 'dedicated') return 'dedicated CPUs (hardware.cpuPolicy)';
  if (cpu.topology !== null) return 'a topology (hardware.cpu.topology)';
  return nodesOf(memory);
}

/**
 * The same of its memory. Of a dedicated VM it is bound to a NUMA node, and its host counts what is. virtio-mem cannot be
 * locked (QEMU refuses), nor does it take memory at the start.
 */
export function memoryRoomRefusal({ cpuPolicy, memory }: Layout): string | null {
  if (cpuPolicy.policy === 'dedicated') return 'dedicated CPUs (hardware.cpuPolicy)';
  if (memory.hugePageBytes !== null) return 'huge pages (hardware.memory.hugePageBytes)';
  if (memory.isLocked) return 'locked memory (hardware.memory.isLocked)';
  if (memory.isPreallocated) return 'preallocated memory (hardware.memory.isPreallocated)';
  return nodesOf(memory);
}

const nodesOf = ({ numaNodeCount, numaNodes }: VmMemory): string | null =>
  numaNodeCount > 1 || numaNodes !== null ? 'NUMA nodes (hardware.memory)' : null;

/** What a VM is when nothing is asked for. */
export const PLAIN_HARDWARE: VmHardware = VmHardware.parse({});
