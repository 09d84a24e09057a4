import type { ControlPlane } from '../control-plane.js';
import { findDeletedImages } from '../image/image.store.js';

/** Removes files of images that are deleted (their removal failed or was cut off) and of uploads that died. */
export async function reconcileImageFiles(cp: Pick<ControlPlane, 'database' | 'images'>): Promise<number> {
  const leftoverCount = await cp.images.removeLeftovers();
  const deletedIds = await findDeletedImages(cp.database, await cp.images.list());
  for (const imageId of deletedIds) await cp.images.remove(imageId);
  return leftoverCount + deletedIds.length;
}
