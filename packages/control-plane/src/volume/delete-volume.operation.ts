import { settleVolume } from './take-volume.js';
import {
  agentOfPool,
  defineVolumeOperation,
  VOLUME_DEADLINE_MS,
  VOLUME_UNWIND_MS,
  VolumeTarget,
  volumeCallOptions,
  volumeIntentOf,
} from './volume-operation.js';

/** Into the trash of its pool. */
export const deleteVolumeOperation = defineVolumeOperation({
  kind: 'volume.delete',
  inputShape: VolumeTarget,
  deadlineMs: VOLUME_DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('move-to-trash', {
    run: async (context) => {
      const { poolId } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      await agent.removeVolume(volumeIntentOf(context, context.input), poolId, volumeCallOptions(context));
    },
    undo: async (context) => {
      const { poolId } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      await agent.restoreVolume(volumeIntentOf(context, context.input), poolId, volumeCallOptions(context));
    },
  })
  .settle({
    done: (tx, { operationId, input }) => settleVolume(tx, operationId, input, { state: 'trashed' }),
    unwound: (tx, { operationId, input, error }) =>
      settleVolume(tx, operationId, input, { state: 'available', failure: error }),
  });
