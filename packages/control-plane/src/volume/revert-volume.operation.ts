import { z } from 'zod';
import { irreversible } from '../operations/define-operation.js';
import { writeDiskSize } from '../vm/disk-size.store.js';
import { HeldVolumes, releaseHeld } from './hold-volumes.js';
import {
  agentOfPool,
  defineVolumeOperation,
  VOLUME_DEADLINE_MS,
  VOLUME_UNWIND_MS,
  VolumeTarget,
  volumeCallOptions,
  volumeIntentOf,
} from './volume-operation.js';
import { returnVolumeRoom } from './volume-room.js';

export const RevertVolumeInput = VolumeTarget.extend({
  held: HeldVolumes,
  snapshotId: z.uuid(),
  beforeBytes: z.int(),
  /** Of the snapshot: never more than the volume has, as volumes only grow. */
  sizeBytes: z.int(),
});
export type RevertVolumeInput = z.infer<typeof RevertVolumeInput>;

export const revertVolumeOperation = defineVolumeOperation({
  kind: 'volume.revert',
  inputShape: RevertVolumeInput,
  deadlineMs: VOLUME_DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('revert', {
    run: async (context) => {
      const { poolId, snapshotId, held } = context.input;
      const agent = await agentOfPool(context.services, poolId, held.vm?.hostId ?? null);
      // An operation reverts once: its id names what is written from then on, however often it is asked.
      const snapshot = { poolId, snapshotId, revertId: context.operationId };
      await agent.revertVolume(volumeIntentOf(context, context.input), snapshot, volumeCallOptions(context));
    },
    undo: irreversible('what was written since the snapshot is gone'),
  })
  .settle({
    done: async (tx, { operationId, input }) => {
      const { projectId, poolId, beforeBytes, sizeBytes, held } = input;
      await returnVolumeRoom(tx, projectId, poolId, beforeBytes - sizeBytes);
      if (held.vm !== null) await writeDiskSize(tx, held.vm.vmId, input.volumeId, sizeBytes);
      await releaseHeld(tx, operationId, held, { state: 'available', sizeBytes });
    },
    unwound: (tx, { operationId, input, error }) =>
      releaseHeld(tx, operationId, input.held, { state: 'available', failure: error }),
  });
