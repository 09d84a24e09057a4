import { DomainError, type ImageId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { countTemplatesWith } from '../vm-template/vm-template.store.js';
import { findImage, lockImageAndCountVms, markImageDeleted } from './image.store.js';
import { recordImageState } from './images.js';
import { requireOwnImage } from './own-image.js';

/** Throws in_use while a VM was made from it or has it in a drive, or a template rests on it, not_found, forbidden. */
export async function deleteImage(cp: ControlPlane, actor: Actor, imageId: ImageId): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const vmCount = await lockImageAndCountVms(tx, imageId);
    const image = requireOwnImage(actor, await findImage(tx, imageId));
    if (vmCount > 0) {
      const message = `${vmCount} VMs were made from this image or have it in a drive; delete them, or take it out, first`;
      throw new DomainError('in_use', message, { details: { vmCount } });
    }
    const templateCount = await countTemplatesWith(tx, 'image_id', imageId);
    if (templateCount > 0) {
      const message = `the disks of ${templateCount} templates rest on this image; delete them first`;
      throw new DomainError('in_use', message, { details: { templateCount } });
    }
    await markImageDeleted(tx, imageId, cp.clock());
    await recordImageState(tx, image, 'deleted');
  });
  // After the commit: a file without a row is removed by the reconciler, a row without its file could not be mended.
  await cp.images.remove(imageId);
  await cp.images.parts.remove(imageId);
}
