import { DomainError, type Image, type VmHardware } from '@kvorum/schema';
import { z } from 'zod';
import type { Actor } from '../control-plane.js';
import { visible } from '../image/images.js';
import { refusalOf } from './assign-devices.js';

type Drives = VmHardware['devices']['cdroms'];

/** An image as a host is asked to have it. */
export const NeededImage = z.object({ imageId: z.uuid(), sha256: z.string(), sizeBytes: z.int() });
export type NeededImage = z.infer<typeof NeededImage>;

/** Ids of the images that lie in the drives. */
export const mediaIdsOf = (drives: Drives): string[] =>
  drives.map(({ imageId }) => imageId).filter((imageId) => imageId !== null);

interface Allowed {
  readonly actor: Actor;
  /** Of the VM. */
  readonly projectId: string;
  /** Those of mediaIdsOf that there are. */
  readonly images: ReadonlyMap<string, Image>;
}

/**
 * The drives with the digests of what lies in them, and those images for the host. Throws not_found, invalid_request or
 * conflict_state that name the field, for an image that may not be used or is not available.
 */
export function mediaOfDrives(
  drives: Drives,
  { actor, projectId, images }: Allowed,
): { readonly cdroms: Drives; readonly media: NeededImage[] } {
  const media: NeededImage[] = [];
  const cdroms = drives.map((drive, index) => {
    if (drive.imageId === null) return { ...drive, imageSha256: null };
    const field = `body.hardware.devices.cdroms[${index}].imageId`;
    const image = visible(actor, images.get(drive.imageId) ?? null, field);
    if (!image.isPublic && image.projectId !== projectId) throw refusalOf(field, 'is no image of this project');
    if (image.state !== 'available') {
      throw new DomainError('conflict_state', `the image is ${image.state}; it can be used once it is available`, {
        details: { fields: [{ field, message: `is ${image.state}` }] },
      });
    }
    const { sha256, sizeBytes } = image;
    if (sha256 === null) throw new TypeError(`the image ${image.id}, which is available, has a digest`);
    media.push({ imageId: image.id, sha256, sizeBytes: sizeBytes ?? 0 });
    return { ...drive, imageSha256: sha256 };
  });
  return { cdroms, media };
}
