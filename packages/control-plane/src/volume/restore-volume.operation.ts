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

export const restoreVolumeOperation = defineVolumeOperation({
  kind: 'volume.restore',
  inputShape: VolumeTarget,
  deadlineMs: VOLUME_DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('take-from-trash', {
    run: async (context) => {
      const { poolId } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      await agent.restoreVolume(volumeIntentOf(context, context.input), poolId, volumeCallOptions(context));
    },
    undo: async (context) => {
      const { poolId } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      await agent.removeVolume(volumeIntentOf(context, context.input), poolId, volumeCallOptions(context));
    },
  })
  .settle({
    done: (tx, { operationId, input }) => settleVolume(tx, operationId, input, { state: 'available' }),
    unwound: (tx, { operationId, input, error }) =>
      settleVolume(tx, operationId, input, { state: 'trashed', failure: error }),
  });
