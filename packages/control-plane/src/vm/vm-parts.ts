import {
  type BalloonPolicy,
  type CreateVmRequest,
  DomainError,
  type Flavor,
  type Image,
  type Project,
} from '@kvorum/schema';
import type { Actor } from '../control-plane.js';
import type { Database } from '../database/database.js';
import { findFlavor } from '../flavor/flavor.store.js';
import { findImage } from '../image/image.store.js';
import { visible } from '../image/images.js';
import { projectForNew } from '../project/default-project.js';
import { notFound } from '../token/project-scope.js';
import { requireLayout } from './amounts-of-vm.js';
import { balloonOf } from './balloon-of.js';
import { requirePlainDevices } from './new-vm-hardware.js';

/** What a VM is made of. */
export interface VmParts {
  readonly project: Project;
  readonly flavor: Flavor;
  readonly image: Image;
  readonly diskBytes: number;
  readonly balloon: BalloonPolicy | null;
}

/** Reads what the request names, without locks. Throws not_found, conflict_state, invalid_request. */
export async function readVmParts(database: Database, actor: Actor, request: CreateVmRequest): Promise<VmParts> {
  const project = await projectForNew(database, actor, request.projectId);
  const [flavor, image] = await Promise.all([
    findFlavor(database, request.flavorId),
    findImage(database, request.imageId),
  ]);
  return vmPartsOf(actor, request, { project, flavor, image });
}

/** The parts, if the request may have them and they go together. Throws as above. */
export function vmPartsOf(
  actor: Actor,
  request: CreateVmRequest,
  found: { readonly project: Project; readonly flavor: Flavor | null; readonly image: Image | null },
): VmParts {
  const { project, flavor } = found;
  if (flavor === null) throw notFound('the flavor', 'body.flavorId');
  requirePlainDevices(request, flavor);
  const image = visible(actor, found.image, 'body.imageId');
  // A token of the whole site sees every image; the VM's project must be allowed to use it all the same.
  if (!image.isPublic && image.projectId !== project.id) throw notFound('the image', 'body.imageId');
  if (image.state !== 'available' || image.virtualSizeBytes === null) {
    throw new DomainError('conflict_state', `the image is ${image.state}; it can be used once it is available`);
  }
  const diskBytes = request.rootDiskBytes ?? flavor.rootDiskBytes;
  if (diskBytes < image.virtualSizeBytes) {
    const message = `must be at least the virtual size of the image, ${image.virtualSizeBytes} bytes`;
    const field = request.rootDiskBytes === undefined ? 'body.flavorId' : 'body.rootDiskBytes';
    throw new DomainError('invalid_request', `the root disk of ${diskBytes} bytes ${message}`, {
      details: { fields: [{ field, message: `its disk ${message}` }] },
    });
  }
  requireLayout({ ...flavor, hardware: request.hardware });
  const balloon = balloonOf(request.balloon, flavor.memoryBytes, request.hardware.memory);
  return { project, flavor, image, diskBytes, balloon };
}
