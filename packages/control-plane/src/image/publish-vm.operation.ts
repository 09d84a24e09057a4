import { Readable } from 'node:stream';
import { z } from 'zod';
import type { CallOptions } from '../agents/call-options.js';
import type { PublishWatch } from '../agents/publish-watch.js';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { defineOperation, nothing, type StepContext } from '../operations/define-operation.js';
import { LeaseLost } from '../operations/lease-lost.js';
import { holdLease } from '../operations/operation-lease.store.js';
import { agentOf, callOptions } from '../vm/vm-operation.js';
import { HeldVm } from '../volume/hold-volumes.js';
import { agentOfPool, VolumeTarget } from '../volume/volume-operation.js';
import { cloneToPublish, releaseSource, removeClone, type SourceOnPool, undoClone } from './clone-to-publish.js';
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
  /** The root disk, where it lies on a storage pool; null: in the folder of the VM's host. */
  pooled: VolumeTarget.nullable().default(null),
});
export type PublishVmInput = z.infer<typeof PublishVmInput>;

/** 1 TiB at 50 MB/s, made and sent. */
const DEADLINE_MS = 12 * 3_600_000;
const UNWIND_DEADLINE_MS = 300_000;

type Context = StepContext<PublishVmInput, unknown, PublishServices>;

/** What the host sends, and how far it is: making the file first, then its content. */
async function* contentOf(context: Context): AsyncGenerator<Uint8Array> {
  const { diskBytes } = context.input;
  let [doneBytes, totalBytes] = [0, 0];
  const parts = await openContent(context, {
    ...callOptions(context, DEADLINE_MS),
    onMade: (fraction) =>
      context.reportProgress({
        phase: 'flatten',
        doneBytes: Math.floor(fraction * diskBytes),
        totalBytes: diskBytes,
      }),
    onSize: (bytes) => {
      totalBytes = bytes;
    },
  });
  for await (const part of parts) {
    doneBytes += part.byteLength;
    context.reportProgress({ phase: 'transfer', doneBytes, totalBytes });
    yield part;
  }
}

async function openContent(context: Context, options: CallOptions & PublishWatch): Promise<AsyncIterable<Uint8Array>> {
  const { input, services, operationId, fencingToken } = context;
  const { held, epoch, rootVolumeId, pooled } = input;
  if (pooled !== null) {
    const agent = await agentOfPool(services, pooled.poolId, held.hostId);
    return agent.publishVolume({ poolId: pooled.poolId, volumeId: operationId }, options);
  }
  const agent = await agentOf(services, held.hostId);
  const intent = { vmId: held.vmId, generation: held.generation, fencingToken, epoch, operationId };
  return agent.publishDisk(intent, rootVolumeId, options);
}

const sourceOnPool = ({ held, pooled }: PublishVmInput): SourceOnPool | null =>
  pooled === null ? null : { held, pooled };

export const publishVmOperation = defineOperation<PublishServices>()({
  kind: 'vm.publish',
  inputShape: PublishVmInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: UNWIND_DEADLINE_MS,
})
  .step('clone-disk', {
    run: async (context) => {
      const source = sourceOnPool(context.input);
      if (source !== null) await cloneToPublish(context, source);
    },
    undo: async (context) => {
      const source = sourceOnPool(context.input);
      if (source !== null) await undoClone(context, source);
    },
  })
  .step('release-vm', {
    run: async ({ input, services, operationId, fencingToken }) => {
      if (input.pooled === null) return;
      await withTransaction(services.database, async (tx) => {
        if (!(await holdLease(tx, operationId, fencingToken))) throw new LeaseLost(operationId);
        await releaseSource(tx, operationId, input);
      });
    },
    undo: nothing('the VM is as it was'),
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
  .step('remove-clone', {
    run: async (context) => {
      const source = sourceOnPool(context.input);
      if (source !== null) await removeClone(context, source);
    },
    undo: nothing('it goes in any case'),
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      await releaseSource(tx, operationId, input);
      const image = await findImage(tx, input.imageId);
      // Deleted meanwhile: the reconciler of image files removes what came.
      if (image === null || !(await markAvailable(tx, image.id, outputs.publish))) return;
      await recordImageState(tx, image, 'available');
    },
    unwound: async (tx, { operationId, input, error }) => {
      await releaseSource(tx, operationId, input);
      const image = await findImage(tx, input.imageId);
      if (image === null || !(await markFailed(tx, image.id, error))) return;
      await recordImageState(tx, image, 'failed');
    },
  });
