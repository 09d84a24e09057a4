import { z } from 'zod';
import { CpuFeature, HostCpuModel } from '../host/host-cpu.schema.js';
import { X86_64_LEVEL_MAX } from '../host/x86-64-level.js';
import { HostGroupId, HostId, VmId } from '../ids.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { MachineType } from '../vm/machine-type.js';

/** Of one request: each joining host's facts are read, and the answer explains all of them. */
const HOSTS_PER_CHANGE_MAX = 100;
/** A preview names so many VMs and counts the rest. */
export const AFFECTED_VMS_SHOWN_MAX = 50;

/** Each set of so many hosts of a group is tried: C(100, 2) are 4,950. */
const HOST_FAILURES_MAX = 4;

const PlacementPolicy = z.enum(['pack', 'spread', 'balanced']).meta({
  description:
    'pack: fill hosts one after the other; spread: keep all about as full; balanced: go by the shape of what is left alone',
});
const Reserve = z.strictObject({
  hostFailures: z.int().min(0).max(HOST_FAILURES_MAX).meta({
    description:
      'So many hosts of the group, whichever, may be lost at once, and its highly available VMs still have room in it; 0: none',
  }),
});

const Description = z
  .string()
  .max(255)
  .regex(/^\P{C}*$/u, { error: 'must be one line without control characters' });
const HostIds = z.array(HostId).max(HOSTS_PER_CHANGE_MAX);
const AllowBaselineLoss = z.boolean().default(false).meta({
  description: 'Let hosts join although the group loses CPU features, models or machine types by them',
});

export const HostGroup = z
  .object({
    id: HostGroupId,
    name: ResourceName,
    description: z.string(),
    policy: PlacementPolicy,
    reserve: Reserve,
    hostIds: z.array(HostId).meta({ description: 'Its members, in the order of their ids' }),
    generation: z.int().meta({ description: 'Counts changes; the ETag of the group' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'HostGroup' });
export type HostGroup = z.infer<typeof HostGroup>;

export const CreateHostGroupRequest = z
  .strictObject({
    name: ResourceName,
    description: Description.default(''),
    policy: PlacementPolicy.default('pack'),
    reserve: Reserve.default({ hostFailures: 0 }),
    hostIds: HostIds.default([]),
    allowBaselineLoss: AllowBaselineLoss,
  })
  .meta({ id: 'CreateHostGroupRequest' });
export type CreateHostGroupRequest = z.infer<typeof CreateHostGroupRequest>;

export const UpdateHostGroupRequest = z
  .strictObject({
    name: ResourceName.optional(),
    description: Description.optional(),
    policy: PlacementPolicy.optional(),
    reserve: Reserve.optional(),
    addHostIds: HostIds.default([]).meta({ description: 'A host is in one group at the most' }),
    removeHostIds: HostIds.default([]),
    allowBaselineLoss: AllowBaselineLoss,
  })
  .meta({ id: 'UpdateHostGroupRequest' });
export type UpdateHostGroupRequest = z.infer<typeof UpdateHostGroupRequest>;

export const PreviewBaselineRequest = z
  .strictObject({ hostIds: HostIds.min(1).meta({ description: 'The hosts that would join' }) })
  .meta({ id: 'PreviewBaselineRequest' });
export type PreviewBaselineRequest = z.infer<typeof PreviewBaselineRequest>;

export const ListHostGroupsQuery = PageQuery.extend({ name: ResourceName.optional() });
export type ListHostGroupsQuery = z.infer<typeof ListHostGroupsQuery>;

/** What all of some hosts can give to guests. */
export const CpuBaseline = z
  .object({
    hostCount: z.int().meta({ description: 'Hosts it is computed from; 0: nothing is known, and the lists are empty' }),
    level: z.int().min(0).max(X86_64_LEVEL_MAX).meta({ description: 'Highest x86-64 level of all; 0: none' }),
    features: z.array(CpuFeature),
    models: z.array(HostCpuModel).meta({ description: 'That all of them run, with most features first' }),
    recommendedModel: z
      .string()
      .nullable()
      .meta({ description: 'The one with most features among the models that all run; null: they share none' }),
    machineTypes: z.array(MachineType).meta({ description: 'That all of them have, newest first' }),
  })
  .meta({ id: 'CpuBaseline' });
export type CpuBaseline = z.infer<typeof CpuBaseline>;

export const HostGroupBaseline = z
  .object({
    baseline: CpuBaseline,
    unknownHostIds: z
      .array(HostId)
      .meta({ description: 'Members whose agent has not said what their processor can do; they are not counted in' }),
  })
  .meta({ id: 'HostGroupBaseline' });
export type HostGroupBaseline = z.infer<typeof HostGroupBaseline>;

export const AffectedVm = z
  .object({
    id: VmId,
    name: z.string(),
    hostId: HostId,
    model: z.string().nullable(),
    machineType: z.string().nullable(),
  })
  .meta({ id: 'AffectedVm' });

/** What a group would lose by hosts that join. */
export const BaselinePreview = z
  .object({
    before: CpuBaseline,
    after: CpuBaseline,
    featuresLost: z.array(CpuFeature),
    modelsLost: z.array(z.string()),
    machineTypesLost: z.array(z.string()),
    isLoss: z.boolean(),
    affectedVmCount: z.int().meta({
      description:
        'VMs of members and joining hosts whose model or machine type would not run on every host of the group',
    }),
    affectedVms: z.array(AffectedVm).max(AFFECTED_VMS_SHOWN_MAX).meta({ description: 'The first of them, by id' }),
  })
  .meta({ id: 'BaselinePreview' });
export type BaselinePreview = z.infer<typeof BaselinePreview>;
