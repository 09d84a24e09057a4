import { holdVolumes } from '../volume/hold-volumes.js';
import { askedOf, targetOf } from '../volume/take-volume.js';
import { deleteSnapshotOperation } from './delete-volume-snapshot.operation.js';
import { requestOnSnapshot } from './request-on-snapshot.js';
import { markSnapshotDeleting } from './volume-snapshot.store.js';
import { requireAvailable } from './volume-snapshots.js';

/** Linked clones of it live on. Throws conflict_state, not_found. */
export const { ask: deleteVolumeSnapshot, plan: planVolumeSnapshotDeletion } = requestOnSnapshot(
  async (tx, snapshot, volume, operationId) => {
    const held = await holdVolumes(tx, [volume], operationId);
    if (!(await markSnapshotDeleting(tx, snapshot.id, operationId))) {
      requireAvailable({ ...snapshot, state: 'deleting' });
    }
    const { id: snapshotId, sizeBytes } = snapshot;
    return askedOf(deleteSnapshotOperation, { ...targetOf(volume), held, snapshotId, sizeBytes }, volume);
  },
);
