import type { Image, ImageId, ListImagesQuery, Page } from '@kvorum/schema';
import type { z } from 'zod';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { findImage, findImages, isImageNeededBy } from './image.store.js';

export async function listImages(
  cp: ControlPlane,
  actor: Actor,
  query: z.infer<typeof ListImagesQuery>,
): Promise<Page<Image>> {
  const { state, name, sha256 } = query;
  // Without a project asked for, a project's token lists its own images and public ones.
  const projectId = query.projectId === undefined ? null : listedProject(actor, query.projectId);
  const filter = { projectId, visibleTo: actor.projectId, state, name, sha256 };
  return pageOfRows(await findImages(cp.database, filter, pageBounds(query)), query);
}

export async function getImage(cp: ControlPlane, actor: Actor, imageId: ImageId): Promise<Image> {
  return visible(actor, await findImage(cp.database, imageId));
}

/** The image, if the actor may use it; otherwise there is none. */
export function visible(actor: Actor, image: Image | null, field?: string): Image {
  if (image === null || !(image.isPublic || canSeeProject(actor, image.projectId))) throw notFound('the image', field);
  return image;
}

/**
 * The content of an image for a host's cache, from `offset` on. A host gets only images of VMs that are placed on it: one
 * that was broken into cannot read the rest.
 */
export async function* readImageFor(
  cp: ControlPlane,
  hostId: string,
  imageId: string,
  offset: number,
): AsyncIterable<Uint8Array> {
  if (!(await isImageNeededBy(cp.database, hostId, imageId))) throw notFound('the image');
  yield* cp.images.read(imageId, offset);
}

export const recordImageState = (
  tx: Tx,
  image: { id: string; projectId: string; name: string },
  state: Image['state'],
): Promise<void> =>
  recordEvent(tx, {
    type: 'image.state',
    projectId: image.projectId,
    resourceKind: 'image',
    resourceId: image.id,
    data: { name: image.name, state },
  });
