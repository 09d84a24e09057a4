import { z } from 'zod';
import type { Tx } from '../database/database.js';
import { takeVolumeQuota, takeVolumeRoom } from '../volume/volume-room.js';
import { claimPooledDisks, type PooledClaim } from './claim-pooled-disks.js';
import { takeVolumesOfVm, writeVolumeSize } from './pooled-disk.store.js';
import { type AttachedVolume, pooledDisksOf } from './pooled-disks.js';
import type { PooledVolumeOfVm, VmTarget } from './vm-operation.js';
import type { VmShape } from './vm-shape.js';

const VolumeIds = z.array(z.uuid()).default([]);

/** What an update does to a VM's disks on pools. */
export const PooledChange = z.object({
  madeIds: VolumeIds,
  attachedIds: VolumeIds,
  goneIds: VolumeIds,
  grown: z
    .array(z.object({ volumeId: z.uuid(), poolId: z.uuid(), beforeBytes: z.int(), sizeBytes: z.int() }))
    .default([]),
});
export type PooledChange = z.infer<typeof PooledChange>;

interface DiskChange {
  readonly before: readonly (VmShape | null)[];
  readonly after: readonly (VmShape | null)[];
  readonly attached: readonly AttachedVolume[];
  readonly operationId: string;
}

/**
 * Takes quota and room for what is new or larger, and the volumes of the VM for its update. The project and the VM are locked by then.
 * Throws quota_exceeded, no_capacity, in_use.
 */
export async function changePooledDisks(
  tx: Tx,
  vm: VmTarget,
  { before, after, attached, operationId }: DiskChange,
): Promise<{ pooledVolumes: PooledVolumeOfVm[]; pooled: PooledChange }> {
  const had = pooledDisksOf(vm.rootVolumeId, before);
  const has = pooledDisksOf(vm.rootVolumeId, after);
  const attachedIds = attached.map(({ volumeId }) => volumeId).filter((id) => has.has(id));
  const made = [...has.values()].filter(({ volumeId }) => !had.has(volumeId) && !attachedIds.includes(volumeId));
  const grown = [...has.values()].flatMap(({ volumeId, poolId, sizeBytes }) => {
    const beforeBytes = had.get(volumeId)?.sizeBytes ?? sizeBytes;
    return sizeBytes > beforeBytes ? [{ volumeId, poolId, beforeBytes, sizeBytes }] : [];
  });
  const growth = new Map<string, number>();
  for (const { poolId, beforeBytes, sizeBytes } of grown) {
    growth.set(poolId, sizeBytes - beforeBytes + (growth.get(poolId) ?? 0));
  }
  if (growth.size > 0) await takeVolumeRoom(tx, vm.projectId, growth, 'body.hardware.devices');
  for (const { volumeId, sizeBytes } of grown) await writeVolumeSize(tx, volumeId, sizeBytes);
  const of = { vmId: vm.vmId, vmName: vm.name, projectId: vm.projectId, operationId };
  await claimNew(tx, { ...of, imageId: null, disks: made, attached });
  return {
    pooledVolumes: await takeVolumesOfVm(tx, vm.vmId, { isNewRun: false }),
    pooled: {
      madeIds: made.map(({ volumeId }) => volumeId),
      attachedIds,
      goneIds: [...had.keys()].filter((id) => !has.has(id)),
      grown,
    },
  };
}

async function claimNew(tx: Tx, claim: PooledClaim): Promise<void> {
  const diskBytes = claim.disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (diskBytes > 0) await takeVolumeQuota(tx, claim.projectId, diskBytes);
  await claimPooledDisks(tx, [claim]);
}
