import type { Readable } from 'node:stream';
import { DomainError, type Image, type ImageId, toStoredError } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { findImage, markAvailable, markFailed } from './image.store.js';
import type { ImageFacts } from './image-store.js';
import { recordImageState } from './images.js';
import { requireOwnImage } from './own-image.js';

/**
 * Content for an image that was announced. An image whose content was refused may be sent again. Of two uploads of one
 * image the one that ends first is kept, the other gets conflict_state. Throws image_invalid, checksum_mismatch,
 * payload_too_large, conflict_state, not_found.
 */
export async function uploadImageContent(
  cp: ControlPlane,
  actor: Actor,
  imageId: ImageId,
  content: Readable,
  contentLength: number | null,
): Promise<Image> {
  const image = requireOwnImage(actor, await findImage(cp.database, imageId));
  if (image.state === 'available') throw hasContent();
  let facts: ImageFacts;
  try {
    facts = await cp.images.receive(imageId, content, { sha256: image.sha256, contentLength });
  } catch (error) {
    if (error instanceof DomainError) await recordRefusal(cp, image, error);
    throw error;
  }
  return keep(cp, image, facts);
}

async function recordRefusal(cp: ControlPlane, image: Image, error: DomainError): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    if (await markFailed(tx, image.id, toStoredError(error))) await recordImageState(tx, image, 'failed');
  });
}

async function keep(cp: ControlPlane, image: Image, facts: ImageFacts): Promise<Image> {
  const kept = await withTransaction(cp.database, async (tx) => {
    const isKept = await markAvailable(tx, image.id, facts);
    if (isKept) await recordImageState(tx, image, 'available');
    return { isKept, now: await findImage(tx, image.id) };
  });
  if (kept.isKept && kept.now !== null) return kept.now;
  // Deleted meanwhile: the file must not outlive the row. Otherwise it is the same file as the other upload's.
  if (kept.now === null) await cp.images.remove(image.id);
  throw kept.now === null ? new DomainError('not_found', 'the image was deleted meanwhile') : hasContent();
}

const hasContent = (): DomainError => new DomainError('conflict_state', 'the image has its content already');
