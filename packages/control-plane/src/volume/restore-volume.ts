import { restoreVolumeOperation } from './restore-volume.operation.js';
import { askedOf, requestOnVolume, takeVolume } from './take-volume.js';

/** Takes a volume out of the trash, with its snapshots. Throws conflict_state, precondition_failed, not_found. */
export const { ask: restoreVolume, plan: planVolumeRestoration } = requestOnVolume(async (tx, volume, operationId) =>
  askedOf(restoreVolumeOperation, await takeVolume(tx, volume, 'trashed', operationId), volume),
);
