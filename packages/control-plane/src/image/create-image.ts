import { type CreateImageRequest, DomainError, type Image, type ImageId, newId } from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import { findImage, insertImage } from './image.store.js';
import type { ImageFacts } from './image-store.js';
import { getImage, recordImageState, visible } from './images.js';

const CREATED_STATUS = 201;

export interface ImageOptions {
  readonly idempotency?: Idempotency | undefined;
}

/** Announces an image: the row waits for its content. Throws already_exists, forbidden, not_found. */
export async function createImage(
  cp: ControlPlane,
  actor: Actor,
  request: CreateImageRequest,
  options: ImageOptions = {},
): Promise<Image> {
  const { image } = await recordImage(cp, actor, newId<ImageId>(), request, null, options);
  return image;
}

/** `isReplay`: the key was used before, and the answer is the image it made then. */
export async function recordImage(
  cp: ControlPlane,
  actor: Actor,
  id: ImageId,
  request: CreateImageRequest,
  facts: ImageFacts | null,
  options: ImageOptions,
): Promise<{ image: Image; isReplay: boolean }> {
  requirePublicRight(actor, request);
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) {
      return { image: await getImage(cp, actor, before.resourceId as ImageId), isReplay: true };
    }
    const project = await projectForNew(tx, actor, request.projectId);
    const { name, isPublic, sha256, labels } = request;
    const now = cp.clock();
    if (!(await insertImage(tx, { id, projectId: project.id, name, isPublic, sha256, labels, facts, now }))) {
      throw new DomainError('already_exists', `the project has an image called ${name} already`);
    }
    const state = facts === null ? 'uploading' : 'available';
    await recordImageState(tx, { id, projectId: project.id, name }, state);
    return { image: visible(actor, await findImage(tx, id)), isReplay: false };
  });
}

/** Every project would boot from it. */
export function requirePublicRight(actor: Actor, request: { isPublic: boolean }): void {
  if (request.isPublic && actor.role !== 'admin') {
    throw new DomainError('forbidden', 'only admins make images public', {
      details: { fields: [{ field: 'body.isPublic', message: 'needs the role admin' }] },
    });
  }
}
