import { purgeVolumeOperation } from './purge-volume.operation.js';
import { askedOf, requestOnVolume, takeVolume } from './take-volume.js';

/** Ends a volume in the trash for good. Throws conflict_state, precondition_failed, not_found. */
export const { ask: purgeVolume, plan: planVolumePurge } = requestOnVolume(async (tx, volume, operationId) =>
  askedOf(purgeVolumeOperation, await takeVolume(tx, volume, 'trashed', operationId), volume),
);
