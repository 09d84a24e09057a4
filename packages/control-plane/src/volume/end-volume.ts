import type { Tx } from '../database/database.js';
import { lockProject } from '../project/project.store.js';
import { findVolumeUsage, hasLinkedClones, markVolumeDeleted, settleVolumes } from './volume.store.js';
import type { VolumeTarget } from './volume-operation.js';
import { returnVolumeRoom } from './volume-room.js';
import { recordVolumeStates } from './volumes.js';

/**
 * Ends a volume of which nothing is left on its pool but what linked clones rest on: with those it stays on record, and counts. Gives
 * back what it held. Locks project, pool and volume in this order.
 */
export async function endVolume(
  tx: Tx,
  operationId: string,
  volume: Pick<VolumeTarget, 'volumeId' | 'projectId' | 'name'>,
): Promise<void> {
  const { volumeId, projectId } = volume;
  // Clones are made under this lock as well: none comes in between.
  await lockProject(tx, projectId);
  if (await hasLinkedClones(tx, volumeId)) {
    await settleVolumes(tx, [volumeId], operationId, { state: 'retained' });
    await recordVolumeStates(tx, [volume], operationId, 'retained');
    return;
  }
  const usage = await findVolumeUsage(tx, volumeId);
  if (usage === null) return;
  await returnVolumeRoom(tx, projectId, usage.poolId, usage.bytes);
  await markVolumeDeleted(tx, volumeId);
  await recordVolumeStates(tx, [volume], operationId, 'deleted');
}
