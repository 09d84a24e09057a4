import { DomainError } from '@kvorum/schema';
import { holdVolumes } from '../volume/hold-volumes.js';
import { revertVolumeOperation } from '../volume/revert-volume.operation.js';
import { askedOf, targetOf } from '../volume/take-volume.js';
import { requestOnSnapshot } from './request-on-snapshot.js';

/** The content and size of the snapshot again; what was written since is lost. Throws conflict_state, not_found. */
export const { ask: revertToSnapshot, plan: planRevert } = requestOnSnapshot(
  async (tx, snapshot, volume, operationId) => {
    const held = await holdVolumes(tx, [volume], operationId);
    if (held.vm !== null && held.vm.power !== 'stopped') {
      throw new DomainError(
        'conflict_state',
        `volume ${volume.name} is open in its VM, which is ${held.vm.power}: stop it first`,
        {
          details: { vmId: held.vm.vmId, state: held.vm.power },
        },
      );
    }
    const { id: snapshotId, sizeBytes } = snapshot;
    const sizes = { beforeBytes: volume.sizeBytes, sizeBytes };
    return askedOf(revertVolumeOperation, { ...targetOf(volume), held, snapshotId, ...sizes }, volume);
  },
);
