import type { Readable } from 'node:stream';
import {
  type CompleteImageRequest,
  DomainError,
  type Image,
  type ImageId,
  type ImagePart,
  type ImageParts,
  toStoredError,
} from '@kvorum/schema';
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
  return receiveContent(cp, image, content, contentLength);
}

export interface NewPart {
  readonly number: number;
  readonly content: Readable;
  /** Null: unknown. */
  readonly contentLength: number | null;
  /** Of all parts together. */
  readonly imageBytesMax: number;
}

/** A part of the content of an image that was announced; it may be sent again. Throws as uploadImageContent, and invalid_request. */
export async function uploadImagePart(
  cp: ControlPlane,
  actor: Actor,
  imageId: ImageId,
  { number, content, contentLength, imageBytesMax }: NewPart,
): Promise<ImagePart> {
  const image = requireOwnImage(actor, await findImage(cp.database, imageId));
  if (image.state === 'available') throw hasContent();
  announcedSha256(image);
  const others = (await cp.images.parts.list(imageId)).filter((part) => part.number !== number);
  const sizeBytes = others.reduce((sum, part) => sum + part.sizeBytes, contentLength ?? 0);
  if (sizeBytes > imageBytesMax) {
    throw new DomainError('payload_too_large', `the parts together are larger than ${imageBytesMax} bytes`);
  }
  return cp.images.parts.put(imageId, number, content, contentLength);
}

/** What has arrived of it, so that whoever was cut off sends the rest. */
export async function listImageParts(cp: ControlPlane, actor: Actor, imageId: ImageId): Promise<ImageParts> {
  requireOwnImage(actor, await findImage(cp.database, imageId));
  return { items: await cp.images.parts.list(imageId) };
}

/**
 * Makes the image of its parts, and checks it as one that came whole. Repeated, it gives the image that is there. Parts that were
 * refused are removed: which of them is wrong is not known.
 */
export async function completeImage(
  cp: ControlPlane,
  actor: Actor,
  imageId: ImageId,
  { partCount }: CompleteImageRequest,
): Promise<Image> {
  const image = requireOwnImage(actor, await findImage(cp.database, imageId));
  if (image.state === 'available') {
    // Who made it available may have died before the parts went.
    await cp.images.parts.remove(imageId);
    return image;
  }
  announcedSha256(image);
  const { content, sizeBytes } = await cp.images.parts.open(imageId, partCount);
  try {
    const done = await receiveContent(cp, image, content, sizeBytes);
    await cp.images.parts.remove(imageId);
    return done;
  } catch (error) {
    if (isRefusalOfContent(error)) await cp.images.parts.remove(imageId);
    throw error;
  } finally {
    content.destroy();
  }
}

const isRefusalOfContent = (error: unknown): boolean =>
  error instanceof DomainError && (error.code === 'image_invalid' || error.code === 'checksum_mismatch');

async function receiveContent(
  cp: ControlPlane,
  image: Image,
  content: Readable,
  contentLength: number | null,
): Promise<Image> {
  const wanted = { checksum: { algorithm: 'sha256', hex: announcedSha256(image) }, contentLength } as const;
  const received = await cp.images.receive(image.id, content, wanted).catch(async (error: unknown) => {
    if (error instanceof DomainError) await recordRefusal(cp, image, error);
    throw error;
  });
  try {
    return await keep(cp, image, received);
  } finally {
    await received.discard();
  }
}

/** Throws conflict_state for an image whose content comes by itself. */
function announcedSha256({ state, source }: Image): string {
  if (state !== 'downloading' && source.sha256 !== null && source.url === null) return source.sha256;
  const from = source.vm === null ? `fetched from ${source.url}` : `made of the VM ${source.vm.name}`;
  throw new DomainError('conflict_state', `the image is ${from}; upload it under another name`);
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
