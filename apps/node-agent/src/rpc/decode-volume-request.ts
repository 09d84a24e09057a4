import { FREEZE_MS_MAX, FREEZE_MS_MIN, OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { Sha256 } from '../vm/vm-record.js';

/** What the agent takes from the wire of volumes; see decode-request.ts. Sizes are the pool's to judge. */
const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Ids become names of files: one has one spelling. */
const Id = z.uuid().lowercase({ error: 'must be in lower case' });
/** More disks than a VM has. */
const VOLUMES_PER_SNAPSHOT_MAX = 32;
/** The VM that runs with the volume; empty: none does. */
const VmOfVolume = z.union([Id, z.literal('').transform(() => null)]);

const VolumeIntent = z
  .object({ volumeId: Id, generation: Count, fencingToken: Count, operationId: OperationId })
  .transform(({ volumeId, generation, fencingToken }) => ({ volumeId, fence: { generation, fencingToken } }));

const OnPool = z.object({ intent: VolumeIntent, poolId: Id });
export const RemoveVolume = OnPool;
export const RestoreVolume = OnPool;
export const PurgeVolume = OnPool;
export const EnsureVolume = OnPool.extend({
  ownerId: Id,
  sizeBytes: Count,
  image: z.object({ imageId: Id, sha256: Sha256 }).optional(),
});
export const GrowVolume = OnPool.extend({ sizeBytes: Count, vmId: VmOfVolume });
export const CloneVolume = OnPool.extend({
  ownerId: Id,
  sourceVolumeId: Id,
  sourceSnapshotId: Id,
  isLinked: z.boolean(),
});
const OfSnapshot = OnPool.extend({ snapshotId: Id });
export const RemoveVolumeSnapshot = OfSnapshot;
export const RevertVolume = OfSnapshot.extend({ revertId: Id });
export const SnapshotVolumes = z.object({
  volumes: z.array(OfSnapshot).min(1).max(VOLUMES_PER_SNAPSHOT_MAX),
  vmId: VmOfVolume,
  freezeTimeoutMs: z.union([z.literal(0), z.int().min(FREEZE_MS_MIN).max(FREEZE_MS_MAX)]),
});
export const ObserveVolume = z.object({ poolId: Id, volumeId: Id });
export const RemoveSetAside = z.object({ poolId: Id, name: z.string() });
export const PublishVolume = z.object({ poolId: Id, volumeId: Id });
export const SweepPool = z.object({ poolId: Id, trashKeepMs: Count, orphanAgeMs: Count });
