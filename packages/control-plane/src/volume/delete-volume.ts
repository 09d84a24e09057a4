import { deleteVolumeOperation } from './delete-volume.operation.js';
import { askedOf, requestOnVolume, takeVolume } from './take-volume.js';

/** Moves a volume that no VM has into the trash. Throws in_use, conflict_state, precondition_failed, not_found. */
export const { ask: deleteVolume, plan: planVolumeDeletion } = requestOnVolume(async (tx, volume, operationId) =>
  askedOf(deleteVolumeOperation, await takeVolume(tx, volume, 'available', operationId), volume),
);
