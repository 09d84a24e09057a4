import { z } from 'zod';
import { StoredErrorShape } from '../errors/problem.schema.js';
import { ImageId, OperationId, ProjectId, StoragePoolId, VmId, VolumeId, VolumeSnapshotId } from '../ids.js';
import { ResourceName } from '../names.js';
import { OperationKind } from '../operation/operation.schema.js';
import { PageQuery } from '../page.schema.js';
import { DiskBytes } from '../vm/vm-size.schema.js';

/**
 * `updating` waits for its operation. `trashed`: deleted, and kept until it is purged. `retained`: purged, but for what linked
 * clones rest on; it goes with the last of them.
 */
export const VOLUME_STATES = ['creating', 'available', 'updating', 'trashed', 'retained'] as const;
export const VolumeState = z.enum(VOLUME_STATES).meta({ id: 'VolumeState' });
export type VolumeState = z.infer<typeof VolumeState>;

/** linked: shares what neither changes with the snapshot; full: a copy of its own. */
const CloneMode = z.enum(['linked', 'full']);

const VolumeSource = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('image'), imageId: ImageId }),
  z.strictObject({ kind: z.literal('snapshot'), snapshotId: VolumeSnapshotId, mode: CloneMode.default('linked') }),
]);

export const Volume = z
  .object({
    id: VolumeId,
    projectId: ProjectId,
    name: ResourceName,
    poolId: StoragePoolId,
    poolName: ResourceName,
    state: VolumeState,
    sizeBytes: z.int(),
    source: VolumeSource.nullable().meta({ description: 'What it was made from; null: it was empty' }),
    vmId: VmId.nullable().meta({ description: 'The VM that has it; null: none' }),
    role: z.enum(['root', 'data']).nullable(),
    goesWithVm: z.boolean().meta({ description: 'Made with its VM, and trashed with it' }),
    snapshotCount: z.int(),
    trashedAt: z.iso.datetime().nullable(),
    purgeAt: z.iso.datetime().nullable().meta({ description: 'When the trash is emptied of it' }),
    operationId: OperationId.nullable(),
    failure: StoredErrorShape.nullable().meta({ description: 'Of its last operation, if that failed' }),
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Volume' });
export type Volume = z.infer<typeof Volume>;

export const CreateVolumeRequest = z
  .strictObject({
    name: ResourceName,
    projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
    poolId: StoragePoolId.optional().meta({ description: 'Where it lies; a clone lies where its snapshot does' }),
    sizeBytes: DiskBytes.optional().meta({
      description: 'Default: of an image, its own; a clone is as large as its snapshot',
    }),
    from: VolumeSource.optional().meta({ description: 'Left out: an empty volume' }),
  })
  .superRefine(({ poolId, sizeBytes, from }, context) => {
    const wrong = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (from?.kind !== 'snapshot' && poolId === undefined) wrong('poolId', 'is needed: where the volume is to lie');
    if (from === undefined && sizeBytes === undefined) wrong('sizeBytes', 'is needed for an empty volume');
    if (from?.kind === 'snapshot' && sizeBytes !== undefined)
      wrong('sizeBytes', 'is that of the snapshot; grow the clone once it is there');
  })
  .meta({ id: 'CreateVolumeRequest' });
export type CreateVolumeRequest = z.infer<typeof CreateVolumeRequest>;

export const UpdateVolumeRequest = z
  .strictObject({ sizeBytes: DiskBytes.meta({ description: 'Larger than it is; its VM sees it at once' }) })
  .meta({ id: 'UpdateVolumeRequest' });
export type UpdateVolumeRequest = z.infer<typeof UpdateVolumeRequest>;

export const AttachVolumeRequest = z.strictObject({ vmId: VmId }).meta({ id: 'AttachVolumeRequest' });
export type AttachVolumeRequest = z.infer<typeof AttachVolumeRequest>;

export const ListVolumesQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  poolId: StoragePoolId.optional(),
  vmId: VmId.optional(),
  name: ResourceName.optional(),
  state: VolumeState.optional(),
});
export type ListVolumesQuery = z.infer<typeof ListVolumesQuery>;

/** What a request on volumes would do, with the same refusals as the request itself. */
export const VolumePlan = z
  .object({
    operation: OperationKind,
    steps: z.array(
      z.object({
        name: z.string(),
        undo: z.string().meta({ description: 'How it is taken back, or why it is not' }),
      }),
    ),
    volumes: z.array(z.object({ id: VolumeId, name: ResourceName, sizeBytes: z.int() })).meta({
      description: 'As they are to be',
    }),
    diskBytesTaken: z.int().meta({ description: 'Of the quota of the project, and of what its pools may promise' }),
  })
  .meta({ id: 'VolumePlan' });
export type VolumePlan = z.infer<typeof VolumePlan>;

export const DryRunQuery = z.object({
  dryRun: z.literal('plan').optional().meta({ description: 'Answer with what would be done, and change nothing' }),
});
