import { irreversible } from '../operations/define-operation.js';
import { endVolume } from './end-volume.js';
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

/** Out of the trash, for good. */
export const purgeVolumeOperation = defineVolumeOperation({
  kind: 'volume.purge',
  inputShape: VolumeTarget,
  deadlineMs: VOLUME_DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('purge', {
    run: async (context) => {
      const { poolId } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      await agent.purgeVolume(volumeIntentOf(context, context.input), poolId, volumeCallOptions(context));
    },
    undo: irreversible('what was in the volume is gone'),
  })
  .settle({
    done: (tx, { operationId, input }) => endVolume(tx, operationId, input),
    unwound: (tx, { operationId, input, error }) =>
      settleVolume(tx, operationId, input, { state: 'trashed', failure: error }),
  });
