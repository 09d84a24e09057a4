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
  .meta({ id: 'VmHardware' });
export type VmHardware = z.infer<typeof VmHardware>;

/** What a VM is when nothing is asked for. */
export const PLAIN_HARDWARE: VmHardware = VmHardware.parse({});
