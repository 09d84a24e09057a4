import { z } from 'zod';
import { FlavorId, HostId, ImageId, ProjectId, VmGroupId } from '../ids.js';
import { Labels, ResourceName } from '../names.js';
import { MachineType } from './machine-type.js';
import { Accelerator, BalloonRequest } from './vm.schema.js';
import { CloudInitChange } from './vm-cloud-init.schema.js';
import { DiskBytes, MemoryBytes, VcpuCount } from './vm-size.schema.js';

/** Checked as a whole once it is laid over what the VM has: VmHardware knows the fields. */
const HardwarePart = z.record(z.string(), z.unknown());

/**
 * What the VM shall be. Fields that are left out stay as they are; a list is given whole. What is changed, and whether it
 * takes effect at once, is decided by vm-field-effects.ts.
 */
export const UpdateVmRequest = z
  .strictObject({
    name: ResourceName.optional(),
    labels: Labels.optional().meta({ description: 'All of them: what is left out is taken off' }),
    highAvailability: z.boolean().optional(),
    vmGroupId: VmGroupId.nullable().optional().meta({
      description:
        'null: in no group. The VM stays where it is: refused if it would break a hard rule of the group there',
    }),
    vcpuCount: VcpuCount.optional(),
    memoryBytes: MemoryBytes.optional(),
    rootDiskBytes: DiskBytes.optional().meta({ description: 'Larger only' }),
    balloon: BalloonRequest.optional(),
    hardware: z
      .strictObject({
        cpu: HardwarePart.optional(),
        cpuPolicy: HardwarePart.optional(),
        memory: HardwarePart.optional(),
        firmware: HardwarePart.optional(),
        devices: HardwarePart.optional(),
        display: HardwarePart.optional(),
        machineType: MachineType.nullable().optional(),
      })
      .optional()
      .meta({
        description:
          'Fields of VmHardware, part by part: a field that is given replaces what the VM has there, one that is not stays. ' +
          'In dataDisks and nics, an entry with the id of a device is that device, one without is a new one',
      }),
    cloudInit: CloudInitChange.nullable().optional().meta({ description: 'null: no seed disk' }),
    onlyLive: z.boolean().default(false).meta({
      description: 'Refuse the whole request if any of it would have to wait for the next start',
    }),
    accelerator: Accelerator.optional().meta({ description: 'Cannot be changed: refused unless it is as it is' }),
    imageId: ImageId.optional().meta({ description: 'Cannot be changed: refused unless it is as it is' }),
    flavorId: FlavorId.optional().meta({ description: 'Cannot be changed: refused unless it is as it is' }),
    projectId: ProjectId.optional().meta({ description: 'Cannot be changed: refused unless it is as it is' }),
    hostId: HostId.optional().meta({ description: 'Cannot be changed: refused unless it is as it is' }),
  })
  .meta({ id: 'UpdateVmRequest' });
export type UpdateVmRequest = z.infer<typeof UpdateVmRequest>;

export const VmFieldChange = z
  .object({
    field: z.string().meta({
      description: 'As in the request; a device of a list in brackets, as in hardware.devices.nics[<id>]',
    }),
    from: z.unknown().meta({ description: 'null: it was not there' }),
    to: z.unknown().meta({ description: 'null: it goes' }),
    effect: z.enum(['live', 'next-boot', 'replace']),
    reason: z.string(),
  })
  .meta({ id: 'VmFieldChange' });
export type VmFieldChange = z.infer<typeof VmFieldChange>;

export const VmUpdatePlan = z
  .object({
    changes: z.array(VmFieldChange),
    pendingChanges: z.array(VmFieldChange).meta({ description: 'What would wait for the next start afterwards' }),
  })
  .meta({ id: 'VmUpdatePlan', description: 'What an update would do; nothing was changed' });
export type VmUpdatePlan = z.infer<typeof VmUpdatePlan>;

export const UpdateVmQuery = z.object({
  dryRun: z
    .enum(['plan'])
    .optional()
    .meta({ description: 'plan: say what the update would do, field by field, and change nothing' }),
});
