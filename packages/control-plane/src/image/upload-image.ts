import type { Readable } from 'node:stream';
import { DomainError, type Image, type ImageId, toStoredError } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { findImage, markAvailable, markFailed } from './image.store.js';
import type { ReceivedImage } from './image-store.js';
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
  if (image.state === 'downloading' || image.source.sha256 === null) {
    throw new DomainError(
      'conflict_state',
      `the image is fetched from ${image.source.url}; upload it under another name`,
    );
  }
  const wanted = { checksum: { algorithm: 'sha256', hex: image.source.sha256 }, contentLength } as const;
  const received = await cp.images.receive(imageId, content, wanted).catch(async (error: unknown) => {
    if (error instanceof DomainError) await recordRefusal(cp, image, error);
    throw error;
  });
  try {
    return await keep(cp, image, received);
  } finally {
    await received.discard();
  }
}

async function recordRefusal(cp: ControlPlane, image: Image, error: DomainError): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    if (await markFailed(tx, image.id, toStoredError(error))) await recordImageState(tx, image, 'failed');
  });
}

async function keep(cp: ControlPlane, image: Image, received: ReceivedImage): Promise<Image> {
  const kept = await withTransaction(cp.database, async (tx) => {
    // First the guard, which locks the row; a commit that fails afterwards leaves a file that the next attempt replaces.
    const isKept = await markAvailable(tx, image.id, received.facts);
    if (isKept) {
      await received.keep();
      await recordImageState(tx, image, 'available');
    }
    return { isKept, now: await findImage(tx, image.id) };
  });
  if (kept.isKept && kept.now !== null) return kept.now;
  throw kept.now === null ? new DomainError('not_found', 'the image was deleted meanwhile') : hasContent();
}

const hasContent = (): DomainError => new DomainError('conflict_state', 'the image has its content already');
