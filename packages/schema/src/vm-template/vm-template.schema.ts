import { z } from 'zod';
import { StoredErrorShape } from '../errors/problem.schema.js';
import { FlavorId, HostId, ImageId, OperationId, ProjectId, VmId, VmTemplateId } from '../ids.js';
import { ResourceName } from '../names.js';
import { OperationKind } from '../operation/operation.schema.js';
import { PageQuery } from '../page.schema.js';
import { Accelerator } from '../vm/vm.schema.js';
import { VmHardware } from '../vm/vm-hardware.schema.js';

/**
 * creating -> available <-> lost
 *                  '-> deleting <-'
 *
 * `creating` and `deleting` wait for their operation; one whose making failed is gone. `lost`: its host was revoked, or says that it has
 * it no more; one that the host has again is available again.
 */
export const VM_TEMPLATE_STATES = ['creating', 'available', 'lost', 'deleting'] as const;
export const VmTemplateState = z.enum(VM_TEMPLATE_STATES).meta({ id: 'VmTemplateState' });
export type VmTemplateState = z.infer<typeof VmTemplateState>;

export const VmTemplate = z
  .object({
    id: VmTemplateId,
    projectId: ProjectId,
    name: ResourceName,
    state: VmTemplateState,
    hostId: HostId.meta({ description: 'Where it lies, and its forks are made' }),
    hostName: z.string(),
    goldenVmId: VmId.meta({ description: 'The VM that it was frozen of; that may be gone since' }),
    goldenVmName: ResourceName,
    baseTemplateId: VmTemplateId.nullable().meta({
      description: 'The template that the golden VM is a fork of, on whose disk this one rests; null: none',
    }),
    flavorId: FlavorId,
    imageId: ImageId,
    vcpuCount: z.int(),
    memoryBytes: z.int(),
    rootDiskBytes: z.int().meta({ description: 'As large is the disk of each fork' }),
    accelerator: Accelerator,
    machineType: z.string(),
    hardware: VmHardware.meta({ description: 'Of its forks, but for network cards and disk limits' }),
    hasSeedDisk: z.boolean().meta({ description: 'Whether its forks have a seed disk of cloud-init, each its own' }),
    occupiedBytes: z.int().nullable().meta({ description: "What it takes of its host's disk; null: not made yet" }),
    forkCount: z.int().meta({ description: 'VMs whose disk rests on it' }),
    frozenAt: z.iso.datetime().nullable().meta({ description: 'null: not made yet' }),
    operationId: OperationId,
    failure: StoredErrorShape.nullable().meta({ description: 'Why it is lost, or was not deleted' }),
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'VmTemplate' });
export type VmTemplate = z.infer<typeof VmTemplate>;

export const FreezeTemplateRequest = z
  .strictObject({
    name: ResourceName,
    keepsRunning: z.boolean().default(true).meta({
      description: 'false: the VM is stopped hard afterwards, and has not run on from the instant that was frozen',
    }),
  })
  .meta({ id: 'FreezeTemplateRequest' });
export type FreezeTemplateRequest = z.infer<typeof FreezeTemplateRequest>;

export const ListVmTemplatesQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  hostId: HostId.optional(),
  name: ResourceName.optional(),
  state: VmTemplateState.optional(),
});
export type ListVmTemplatesQuery = z.infer<typeof ListVmTemplatesQuery>;

/** What a request on a template would do, with the same refusals as the request itself. */
export const VmTemplatePlan = z
  .object({
    operation: OperationKind,
    steps: z.array(
      z.object({
        name: z.string(),
        undo: z.string().meta({ description: 'How it is taken back, or why it is not' }),
      }),
    ),
    hostId: HostId,
    hostName: z.string(),
    memoryBytes: z.int().meta({ description: "Memory of the template, on its host's disk; its disk comes on top" }),
  })
  .meta({ id: 'VmTemplatePlan', description: 'Nothing was changed' });
export type VmTemplatePlan = z.infer<typeof VmTemplatePlan>;
