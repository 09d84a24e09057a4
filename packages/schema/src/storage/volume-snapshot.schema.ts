import { z } from 'zod';
import { OperationId, ProjectId, VmId, VolumeId, VolumeSnapshotId } from '../ids.js';
import { VOLUMES_PER_SNAPSHOT_MAX } from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

/** auto: if the guest agent answers, and without it otherwise; required: or not at all. */
export const SnapshotFreeze = z.enum(['auto', 'required', 'never']).meta({ id: 'SnapshotFreeze' });
export type SnapshotFreeze = z.infer<typeof SnapshotFreeze>;

export const VolumeSnapshot = z
  .object({
    id: VolumeSnapshotId,
    setId: z.uuid().meta({ description: 'Snapshots of one instant share it' }),
    volumeId: VolumeId,
    projectId: ProjectId,
    name: ResourceName,
    state: z.enum(['creating', 'available', 'deleting']),
    sizeBytes: z.int().meta({ description: 'Of the volume at that instant' }),
    wasFrozen: z.boolean().meta({ description: 'The guest halted its file systems: they are clean' }),
    operationId: OperationId.nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'VolumeSnapshot' });
export type VolumeSnapshot = z.infer<typeof VolumeSnapshot>;

export const CreateVolumeSnapshotsRequest = z
  .strictObject({
    name: ResourceName.meta({ description: 'Of each of them; unlike that of any other snapshot of the volume' }),
    vmId: VmId.optional().meta({ description: 'All volumes of this VM that lie on pools' }),
    volumeIds: z
      .array(VolumeId)
      .min(1)
      .max(VOLUMES_PER_SNAPSHOT_MAX)
      .optional()
      .meta({ description: 'Of one VM, or one volume that no VM has' }),
    freeze: SnapshotFreeze.default('auto'),
  })
  .superRefine(({ vmId, volumeIds }, context) => {
    if ((vmId === undefined) === (volumeIds === undefined)) {
      context.addIssue({ code: 'custom', path: ['volumeIds'], message: 'is needed, or vmId; not both' });
    }
    if (volumeIds !== undefined && new Set(volumeIds).size < volumeIds.length) {
      context.addIssue({ code: 'custom', path: ['volumeIds'], message: 'names a volume twice' });
    }
  })
  .meta({ id: 'CreateVolumeSnapshotsRequest' });
export type CreateVolumeSnapshotsRequest = z.infer<typeof CreateVolumeSnapshotsRequest>;

export const ListVolumeSnapshotsQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  volumeId: VolumeId.optional(),
  vmId: VmId.optional().meta({ description: 'Of the volumes that this VM has now' }),
  setId: z.uuid().optional(),
  name: ResourceName.optional(),
});
export type ListVolumeSnapshotsQuery = z.infer<typeof ListVolumeSnapshotsQuery>;
