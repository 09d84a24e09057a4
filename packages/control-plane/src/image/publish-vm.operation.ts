import { Readable } from 'node:stream';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.js';
import { defineOperation, type StepContext } from '../operations/define-operation.js';
import { agentOf, callOptions } from '../vm/vm-operation.js';
import { HeldVm, releaseVm } from '../volume/hold-volumes.js';
import { findImage, markAvailable, markFailed } from './image.store.js';
import { recordImageState } from './images.js';
import { takeInContent } from './take-in-content.js';

export type PublishServices = Pick<ControlPlane, 'database' | 'agents' | 'secrets' | 'images'>;

export const PublishVmInput = z.object({
  imageId: z.uuid(),
  held: HeldVm,
  epoch: z.int(),
  rootVolumeId: z.uuid(),
  diskBytes: z.int(),
});
export type PublishVmInput = z.infer<typeof PublishVmInput>;

/** 1 TiB at 50 MB/s, made and sent. */
const DEADLINE_MS = 12 * 3_600_000;
const UNWIND_DEADLINE_MS = 300_000;

type Context = StepContext<PublishVmInput, unknown, PublishServices>;

/** What the host sends, and how far it is: making the file first, then its content. */
async function* contentOf(context: Context): AsyncGenerator<Uint8Array> {
  const { input, services, operationId, fencingToken, reportProgress } = context;
  const { held, epoch, rootVolumeId, diskBytes } = input;
  const agent = await agentOf(services, held.hostId);
  const intent = { vmId: held.vmId, generation: held.generation, fencingToken, epoch, operationId };
  let [doneBytes, totalBytes] = [0, 0];
  const parts = agent.publishDisk(intent, rootVolumeId, {
    ...callOptions(context, DEADLINE_MS),
    onMade: (fraction) =>
      reportProgress({ phase: 'flatten', doneBytes: Math.floor(fraction * diskBytes), totalBytes: diskBytes }),
    onSize: (bytes) => {
      totalBytes = bytes;
    },
  });
  for await (const part of parts) {
    doneBytes += part.byteLength;
    reportProgress({ phase: 'transfer', doneBytes, totalBytes });
    yield part;
  }
}

export const publishVmOperation = defineOperation<PublishServices>()({
  kind: 'vm.publish',
  inputShape: PublishVmInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: UNWIND_DEADLINE_MS,
})
  // One step, as a download has: what the host has made goes with the call, and a draft belongs to the process that writes it.
  .step('publish', {
    run: async (context) => {
      const { input, signal } = context;
      // What a host sends is checked as what a person uploads: it may have been broken into, and so may the guest that wrote it.
      const wanted = { checksum: null, contentLength: null, signal };
      return takeInContent(context, input.imageId, Readable.from(contentOf(context)), wanted);
    },
    undo: ({ input, services }) => services.images.remove(input.imageId),
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      await releaseVm(tx, operationId, input.held);
      const image = await findImage(tx, input.imageId);
      // Deleted meanwhile: the reconciler of image files removes what came.
      if (image === null || !(await markAvailable(tx, image.id, outputs.publish))) return;
      await recordImageState(tx, image, 'available');
    },
    unwound: async (tx, { operationId, input, error }) => {
      await releaseVm(tx, operationId, input.held);
      const image = await findImage(tx, input.imageId);
      if (image === null || !(await markFailed(tx, image.id, error))) return;
      await recordImageState(tx, image, 'failed');
    },
  });
