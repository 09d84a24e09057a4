import { z } from 'zod';
import { irreversible } from '../operations/define-operation.js';
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
import { returnVolumeRoom } from './volume-room.js';

/** Of a volume that no VM has; one that a VM has grows with an update of its VM. */
export const GrowVolumeInput = VolumeTarget.extend({ beforeBytes: z.int(), sizeBytes: z.int() });
export type GrowVolumeInput = z.infer<typeof GrowVolumeInput>;

export const growVolumeOperation = defineVolumeOperation({
  kind: 'volume.grow',
  inputShape: GrowVolumeInput,
  deadlineMs: VOLUME_DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('grow', {
    run: async (context) => {
      const { poolId, sizeBytes } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      const intent = volumeIntentOf(context, context.input);
      await agent.growVolume(intent, { poolId, sizeBytes, vmId: null }, volumeCallOptions(context));
    },
    undo: irreversible('a volume that has grown cannot be made smaller'),
  })
  .settle({
    done: (tx, { operationId, input }) =>
      settleVolume(tx, operationId, input, { state: 'available', sizeBytes: input.sizeBytes }),
    unwound: async (tx, { operationId, input, error }) => {
      const { projectId, poolId, sizeBytes, beforeBytes } = input;
      await returnVolumeRoom(tx, projectId, poolId, sizeBytes - beforeBytes);
      await settleVolume(tx, operationId, input, { state: 'available', failure: error });
    },
  });
