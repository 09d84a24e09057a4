import type { ControlPlane } from '../control-plane.js';
import { findDeletedImages } from '../image/image.store.js';

/** Whoever was cut off may take an upload up again the next day, after a weekend not. */
const PARTS_KEPT_MS = 48 * 3_600_000;

/** Removes files of images that are deleted (their removal failed or was cut off) and of uploads that died. */
export async function reconcileImageFiles(cp: Pick<ControlPlane, 'database' | 'images' | 'clock'>): Promise<number> {
  const { images } = cp;
  const leftoverCount = await images.removeLeftovers();
  const staleCount = await images.parts.removeUntouchedSince(new Date(cp.clock().getTime() - PARTS_KEPT_MS));
  const imageIds = new Set([...(await images.list()), ...(await images.parts.listImages())]);
  const deletedIds = await findDeletedImages(cp.database, [...imageIds]);
  for (const imageId of deletedIds) {
    await images.remove(imageId);
    await images.parts.remove(imageId);
  }
  return leftoverCount + staleCount + deletedIds.length;
}
