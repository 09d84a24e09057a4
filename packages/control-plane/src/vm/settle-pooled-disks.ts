import type { Tx } from '../database/database.js';
import { endVolume } from '../volume/end-volume.js';
import { settleVolumes } from '../volume/volume.store.js';
import { returnVolumeRoom } from '../volume/volume-room.js';
import { recordVolumeStates } from '../volume/volumes.js';
import { detachVolumes, partVolumes, writeVolumeSize } from './pooled-disk.store.js';
import type { PooledVolumeOfVm } from './vm-operation.js';

interface OfProject {
  readonly projectId: string;
}

const idsOf = (volumes: readonly PooledVolumeOfVm[]): string[] => volumes.map(({ volumeId }) => volumeId);

export async function settleMadeVolumes(
  tx: Tx,
  operationId: string,
  { projectId }: OfProject,
  made: readonly PooledVolumeOfVm[],
): Promise<void> {
  if (made.length === 0) return;
  await settleVolumes(tx, idsOf(made), operationId, { state: 'available' });
  await recordVolumeStates(
    tx,
    made.map((volume) => ({ ...volume, projectId })),
    operationId,
    'available',
  );
}

/** An operation that made and attached volumes was undone. The project is locked before. */
export async function undoPooledDisks(
  tx: Tx,
  operationId: string,
  vm: OfProject & { readonly vmId: string },
  { made, attachedIds }: { readonly made: readonly PooledVolumeOfVm[]; readonly attachedIds: readonly string[] },
): Promise<void> {
  for (const volume of made) await endVolume(tx, operationId, { ...volume, projectId: vm.projectId });
  if (attachedIds.length > 0) await detachVolumes(tx, vm.vmId, attachedIds);
}

/** Growth that was undone before it began. */
export async function undoGrowth(
  tx: Tx,
  { projectId }: OfProject,
  grown: readonly {
    readonly volumeId: string;
    readonly poolId: string;
    readonly beforeBytes: number;
    readonly sizeBytes: number;
  }[],
): Promise<void> {
  for (const { volumeId, poolId, beforeBytes, sizeBytes } of grown) {
    await returnVolumeRoom(tx, projectId, poolId, sizeBytes - beforeBytes);
    await writeVolumeSize(tx, volumeId, beforeBytes);
  }
}

export async function releaseVolumesOfDeletedVm(
  tx: Tx,
  operationId: string,
  vm: OfProject & { readonly vmId: string },
  volumes: readonly PooledVolumeOfVm[],
): Promise<void> {
  if (volumes.length === 0) return;
  await partVolumes(tx, vm.vmId, operationId);
  const trashed = volumes.filter(({ goesWithVm }) => goesWithVm).map((volume) => ({ ...volume, ...vm }));
  await recordVolumeStates(tx, trashed, operationId, 'trashed');
}
