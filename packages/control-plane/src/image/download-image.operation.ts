import { Readable } from 'node:stream';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.js';
import { defineOperation } from '../operations/define-operation.js';
import { fetchImage } from './fetch-image.js';
import { findImage, markAvailable, markFailed } from './image.store.js';
import { recordImageState } from './images.js';
import { takeInContent } from './take-in-content.js';

export type ImageServices = Pick<ControlPlane, 'database' | 'images' | 'imageSources'>;

export const DownloadImageInput = z.object({
  imageId: z.uuid(),
  url: z.string(),
  checksum: z.object({ algorithm: z.enum(['sha256', 'sha512']), hex: z.string() }).nullable(),
});

/** Two TiB over a slow line; what makes no progress is given up long before (open-url.ts). */
const DEADLINE_MS = 12 * 3_600_000;
const UNWIND_DEADLINE_MS = 300_000;

async function* counted(content: Readable, onBytes: (doneBytes: number) => void): AsyncGenerator<Buffer> {
  let doneBytes = 0;
  for await (const part of content as AsyncIterable<Buffer>) {
    doneBytes += part.byteLength;
    onBytes(doneBytes);
    yield part;
  }
}

export const downloadImageOperation = defineOperation<ImageServices>()({
  kind: 'image.download',
  inputShape: DownloadImageInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: UNWIND_DEADLINE_MS,
})
  // One step: a draft belongs to the process that writes it, and one that dies leaves nothing but a file for the reconciler.
  .step('download', {
    run: async (context) => {
      const { input, services, signal, reportProgress } = context;
      const { content, contentLength } = await fetchImage(services.imageSources, input.url, signal);
      const onBytes = (doneBytes: number): void => {
        reportProgress({ phase: 'download', doneBytes, totalBytes: contentLength });
      };
      const wanted = { checksum: input.checksum, contentLength, signal };
      return takeInContent(context, input.imageId, Readable.from(counted(content, onBytes)), wanted);
    },
    undo: ({ input, services }) => services.images.remove(input.imageId),
  })
  .settle({
    done: async (tx, { input, outputs }) => {
      const image = await findImage(tx, input.imageId);
      // Deleted meanwhile: the reconciler of image files removes what was fetched.
      if (image === null || !(await markAvailable(tx, image.id, outputs.download))) return;
      await recordImageState(tx, image, 'available');
    },
    unwound: async (tx, { input, error }) => {
      const image = await findImage(tx, input.imageId);
      if (image === null || !(await markFailed(tx, image.id, error))) return;
      await recordImageState(tx, image, 'failed');
    },
  });
