import { z } from 'zod';
import { NeededImage } from '../vm/media-of-drives.js';
import { endVolume } from './end-volume.js';
import { settleVolume } from './take-volume.js';
import {
  agentOfPool,
  defineVolumeOperation,
  VOLUME_UNWIND_MS,
  VolumeTarget,
  volumeCallOptions,
  volumeIntentOf,
} from './volume-operation.js';

export const CreateVolumeInput = VolumeTarget.extend({
  sizeBytes: z.int(),
  image: NeededImage.nullable(),
  snapshot: z.object({ volumeId: z.uuid(), snapshotId: z.uuid(), isLinked: z.boolean() }).nullable(),
});
export type CreateVolumeInput = z.infer<typeof CreateVolumeInput>;

/** A full copy of the largest volume: as long as the pool takes for one at the most. */
const DEADLINE_MS = 6 * 3_600_000;
const FRACTION_PARTS = 1000;

export const createVolumeOperation = defineVolumeOperation({
  kind: 'volume.create',
  inputShape: CreateVolumeInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('make-volume', {
    // One step: the host that has fetched the image is the one that takes it into the pool.
    run: async (context) => {
      const { poolId, projectId: ownerId, sizeBytes, image, snapshot } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      const intent = volumeIntentOf(context, context.input);
      const options = volumeCallOptions(context, DEADLINE_MS);
      if (snapshot !== null) {
        const { isLinked, ...source } = snapshot;
        const onProgress = (fraction: number): void =>
          context.reportProgress({
            doneBytes: Math.floor((sizeBytes / FRACTION_PARTS) * Math.floor(fraction * FRACTION_PARTS)),
            totalBytes: sizeBytes,
          });
        await agent.cloneVolume(intent, { poolId, ownerId, source, isLinked }, { ...options, onProgress });
        return;
      }
      if (image !== null) {
        const onProgress = (doneBytes: number): void =>
          context.reportProgress({ doneBytes, totalBytes: image.sizeBytes });
        await agent.ensureImage(image, { ...options, onProgress });
      }
      await agent.ensureVolume(intent, { poolId, ownerId, sizeBytes, image }, options);
    },
    undo: async (context) => {
      const { poolId } = context.input;
      const agent = await agentOfPool(context.services, poolId);
      const intent = volumeIntentOf(context, context.input);
      await agent.removeVolume(intent, poolId, volumeCallOptions(context));
      await agent.purgeVolume(intent, poolId, volumeCallOptions(context));
    },
  })
  .settle({
    done: (tx, { operationId, input }) => settleVolume(tx, operationId, input, { state: 'available' }),
    unwound: (tx, { operationId, input }) => endVolume(tx, operationId, input),
  });
