import { z } from 'zod';
import { irreversible } from '../operations/define-operation.js';
import { HeldVolumes, releaseHeld } from '../volume/hold-volumes.js';
import {
  agentOfPool,
  defineVolumeOperation,
  VOLUME_UNWIND_MS,
  VolumeTarget,
  volumeCallOptions,
  volumeIntentOf,
} from '../volume/volume-operation.js';
import { returnVolumeRoom } from '../volume/volume-room.js';
import { markSnapshotsAvailable, markSnapshotsDeleted } from './volume-snapshot.store.js';

export const DeleteSnapshotInput = VolumeTarget.extend({
  held: HeldVolumes,
  snapshotId: z.uuid(),
  sizeBytes: z.int(),
});
export type DeleteSnapshotInput = z.infer<typeof DeleteSnapshotInput>;

/** A layer as large as a volume may have to be merged. */
const DEADLINE_MS = 6 * 3_600_000;

export const deleteSnapshotOperation = defineVolumeOperation({
  kind: 'volume-snapshot.delete',
  inputShape: DeleteSnapshotInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('remove-snapshot', {
    run: async (context) => {
      const { poolId, snapshotId, held } = context.input;
      const agent = await agentOfPool(context.services, poolId, held.vm?.hostId ?? null);
      const intent = volumeIntentOf(context, context.input);
      await agent.removeVolumeSnapshot(intent, { poolId, snapshotId }, volumeCallOptions(context, DEADLINE_MS));
    },
    undo: irreversible('the state of that instant is gone'),
  })
  .settle({
    done: async (tx, { operationId, input }) => {
      await returnVolumeRoom(tx, input.projectId, input.poolId, input.sizeBytes);
      await markSnapshotsDeleted(tx, [input.snapshotId]);
      await releaseHeld(tx, operationId, input.held, { state: 'available' });
    },
    unwound: async (tx, { operationId, input, error }) => {
      await markSnapshotsAvailable(tx, [input.snapshotId], null);
      await releaseHeld(tx, operationId, input.held, { state: 'available', failure: error });
    },
  });
