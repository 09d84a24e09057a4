import { type CreateImageRequest, DomainError, type Image, type ImageId, newId } from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import { findImage, insertImage, type NewContent } from './image.store.js';
import { getImage, recordImageState, visible } from './images.js';

const CREATED_STATUS = 201;

type ImageNaming = Omit<CreateImageRequest, 'sha256'> & { readonly description?: string | undefined };

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
  const { image } = await recordImage(
    cp,
    actor,
    newId<ImageId>(),
    request,
    { state: 'uploading', sha256: request.sha256 },
    options,
  );
  return image;
}

/** `isReplay`: the key was used before, and the answer is the image it made then. */
export async function recordImage(
  cp: ControlPlane,
  actor: Actor,
  id: ImageId,
  request: ImageNaming,
  content: NewContent,
  options: ImageOptions,
): Promise<{ image: Image; isReplay: boolean }> {
  requirePublicRight(actor, request);
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) {
      return { image: await getImage(cp, actor, before.resourceId as ImageId), isReplay: true };
    }
    return { image: await addImage(tx, cp, actor, id, request, content), isReplay: false };
  });
}

/** Throws already_exists, not_found (the project). */
export async function addImage(
  tx: Tx,
  cp: Pick<ControlPlane, 'clock'>,
  actor: Actor,
  id: ImageId,
  { name, isPublic, labels, projectId, description }: ImageNaming,
  content: NewContent,
): Promise<Image> {
  const project = await projectForNew(tx, actor, projectId);
  const now = cp.clock();
  if (!(await insertImage(tx, { id, projectId: project.id, name, isPublic, labels, description, content, now }))) {
    throw new DomainError('already_exists', `the project has an image called ${name} already`);
  }
  await recordImageState(tx, { id, projectId: project.id, name }, content.state);
  return visible(actor, await findImage(tx, id));
}

/** Every project would boot from it. */
export function requirePublicRight(actor: Actor, request: { isPublic: boolean }): void {
  if (request.isPublic && actor.role !== 'admin') {
    throw new DomainError('forbidden', 'only admins make images public', {
      details: { fields: [{ field: 'body.isPublic', message: 'needs the role admin' }] },
    });
  }
}
