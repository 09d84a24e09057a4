import type { StepContext } from '../operations/define-operation.js';
import type { NeededImage } from './media-of-drives.js';
import { offeredImage } from './peer-hosts.js';
import { agentOf, callOptions, type VmServices } from './vm-operation.js';

/**
 * Has a host fetch images into its cache: each from a host that has it, if one gives it, else from the control plane. Tells the
 * progress of all together.
 */
export async function ensureImages(
  context: StepContext<unknown, unknown, VmServices>,
  images: readonly NeededImage[],
  target: { readonly hostId: string; readonly first?: string },
  timeoutMs: number,
): Promise<void> {
  const agent = await agentOf(context.services, target.hostId);
  const totalBytes = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let beforeBytes = 0;
  for (const image of images) {
    const startBytes = beforeBytes;
    const options = callOptions(context, timeoutMs);
    const peers = await offeredImage(context.services, image, target, options);
    await agent.ensureImage(
      { ...image, peers },
      {
        ...options,
        onProgress: (doneBytes) => context.reportProgress({ doneBytes: startBytes + doneBytes, totalBytes }),
      },
    );
    beforeBytes += image.sizeBytes;
  }
}
