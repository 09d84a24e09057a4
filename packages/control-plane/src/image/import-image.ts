import { type Image, type ImageId, type ImportImageRequest, newId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { projectForNew } from '../project/default-project.js';
import { type ImageOptions, recordImage, requirePublicRight } from './create-image.js';

/**
 * Takes a file of the import folder in. The row comes last: a file that is refused leaves nothing behind. Throws
 * image_invalid, checksum_mismatch, invalid_request, not_found, already_exists, forbidden.
 */
export async function importImage(
  cp: ControlPlane,
  actor: Actor,
  request: ImportImageRequest,
  options: ImageOptions = {},
): Promise<Image> {
  const { fileName, ...naming } = request;
  requirePublicRight(actor, request);
  await projectForNew(cp.database, actor, request.projectId);
  const id = newId<ImageId>();
  const received = await cp.images.importFile(id, fileName, request.sha256);
  try {
    await received.keep();
    const content = { state: 'available', facts: received.facts } as const;
    const { image, isReplay } = await recordImage(cp, actor, id, naming, content, options);
    if (isReplay) await cp.images.remove(id);
    return image;
  } catch (error) {
    await cp.images.remove(id);
    throw error;
  } finally {
    await received.discard();
  }
}
