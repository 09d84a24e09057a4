import {
  type BalloonPolicy,
  DomainError,
  type Flavor,
  type Image,
  type Project,
  type VmGroup,
  type VmHardware,
  type VmTemplate,
} from '@kvorum/schema';
import type { Actor } from '../control-plane.js';
import type { Database } from '../database/database.js';
import { JointLookup } from '../database/joint-lookup.js';
import { findFlavorsById } from '../flavor/flavor.store.js';
import { findImagesById } from '../image/image.store.js';
import { visible } from '../image/images.js';
import { projectForNew } from '../project/default-project.js';
import { findProjectsById } from '../project/project.store.js';
import { notFound } from '../token/project-scope.js';
import { findVmGroup } from '../vm-group/vm-group.store.js';
import type { NewVmRequest } from '../vm-template/fork-request.js';
import { findTemplate } from '../vm-template/vm-template.store.js';
import { requireLayout } from './amounts-of-vm.js';
import { balloonOf } from './balloon-of.js';
import { mediaIdsOf, mediaOfDrives, type NeededImage } from './media-of-drives.js';
import { diskBytesOf, requireRoom, rootDiskBytesOf, withDevices } from './new-vm-hardware.js';
import { type AttachedVolume, pooledDiskBytesOf } from './pooled-disks.js';

/** What a VM is made of. */
export interface VmParts {
  readonly project: Project;
  readonly flavor: Flavor;
  readonly image: Image;
  /** Null: it is to be in none. */
  readonly vmGroup: VmGroup | null;
  readonly rootDiskBytes: number;
  /** Of its disks in the folder of its host. */
  readonly diskBytes: number;
  /** Of new volumes on pools. */
  readonly pooledDiskBytes: number;
  /** As it is recorded: with the size of the root disk, which an update compares with, and digests of media. */
  readonly hardware: VmHardware;
  /** What lies in its drives. */
  readonly media: readonly NeededImage[];
  readonly balloon: BalloonPolicy | null;
}

/** Reads what the request names, without locks. Throws not_found, conflict_state, invalid_request. */
export async function readVmParts(
  database: Database,
  actor: Actor,
  request: NewVmRequest,
  attached: readonly AttachedVolume[],
): Promise<VmParts> {
  const lookups = lookupsOf(database);
  const project = await projectForNew(database, actor, request.projectId, (id) => lookups.projects.find(id));
  const { vmGroupId, templateId } = request;
  const [flavor, vmGroup, template, ...images] = await Promise.all([
    lookups.flavors.find(request.flavorId),
    vmGroupId === undefined ? null : findVmGroup(database, vmGroupId),
    templateId === undefined ? null : findTemplate(database, templateId),
    ...imageIdsOf(request).map((id) => lookups.images.find(id)),
  ]);
  const found = images.filter((image) => image !== null);
  const parts = {
    project,
    flavor,
    vmGroup,
    template,
    attached,
    images: new Map(found.map((image) => [image.id, image])),
  };
  return vmPartsOf(actor, request, parts);
}

interface Lookups {
  readonly projects: JointLookup<Project>;
  readonly flavors: JointLookup<Flavor>;
  readonly images: JointLookup<Image>;
}

/** One per pool of connections: creates that come at the same time mostly name the same few rows. */
const shared = new WeakMap<Database, Lookups>();

function lookupsOf(database: Database): Lookups {
  let lookups = shared.get(database);
  if (lookups === undefined) {
    lookups = {
      projects: new JointLookup((ids) => findProjectsById(database, ids)),
      flavors: new JointLookup((ids) => findFlavorsById(database, ids)),
      images: new JointLookup((ids) => findImagesById(database, ids)),
    };
    shared.set(database, lookups);
  }
  return lookups;
}

/** Of its root disk, and of what lies in its drives. */
export const imageIdsOf = ({ imageId, hardware }: NewVmRequest): string[] => [
  ...new Set<string>([imageId, ...mediaIdsOf(hardware.devices.cdroms)]),
];

/** The parts, if the request may have them and they go together. Throws as above. */
export function vmPartsOf(
  actor: Actor,
  request: NewVmRequest,
  found: {
    readonly project: Project;
    readonly flavor: Flavor | null;
    readonly images: ReadonlyMap<string, Image>;
    /** Of those that can be forked of. */
    readonly template: VmTemplate | null;
    readonly vmGroup: VmGroup | null;
    readonly attached: readonly AttachedVolume[];
  },
): VmParts {
  const { project, images, vmGroup } = found;
  const flavor = sizeOf(request, found);
  const { devices } = request.hardware;
  requireRoom(devices, flavor);
  const image = visible(actor, images.get(request.imageId) ?? null, 'body.imageId');
  // A token of the whole site sees every image; the VM's project must be allowed to use it all the same.
  if (!image.isPublic && image.projectId !== project.id) throw notFound('the image', 'body.imageId');
  if (image.state !== 'available' || image.virtualSizeBytes === null) {
    throw new DomainError('conflict_state', `the image is ${image.state}; it can be used once it is available`);
  }
  if (request.vmGroupId !== undefined && vmGroup?.projectId !== project.id)
    throw notFound("the VM group of the VM's project", 'body.vmGroupId');
  const rootDiskBytes = rootDiskBytesOf(request, flavor);
  if (rootDiskBytes < image.virtualSizeBytes) throw smallerThanImage(request, rootDiskBytes, image.virtualSizeBytes);
  requireLayout({ ...flavor, hardware: request.hardware });
  const { cdroms, media } = mediaOfDrives(devices.cdroms, { actor, projectId: project.id, images });
  const rootDisk = { ...devices.rootDisk, sizeBytes: rootDiskBytes };
  return {
    project,
    flavor,
    image,
    vmGroup,
    rootDiskBytes,
    diskBytes: diskBytesOf(rootDiskBytes, devices),
    pooledDiskBytes: pooledDiskBytesOf(rootDiskBytes, request, found.attached),
    hardware: withDevices(request.hardware, { ...devices, rootDisk, cdroms }),
    media,
    balloon: balloonOf(request.balloon, flavor.memoryBytes, request.hardware.memory),
  };
}

/** A fork is as large as the VM that was frozen, which may have been changed since it was of its flavor. */
function sizeOf(
  { templateId }: NewVmRequest,
  { flavor, template }: { readonly flavor: Flavor | null; readonly template: VmTemplate | null },
): Flavor {
  if (flavor === null) throw notFound('the flavor', 'body.flavorId');
  if (templateId === undefined) return flavor;
  if (template === null) throw new DomainError('conflict_state', 'the template can be forked no more; list templates');
  const { vcpuCount, memoryBytes } = template;
  return { ...flavor, vcpuCount, memoryBytes };
}

function smallerThanImage({ rootDiskBytes, hardware }: NewVmRequest, bytes: number, least: number): DomainError {
  const message = `must be at least the virtual size of the image, ${least} bytes`;
  const ofDevices = hardware.devices.rootDisk.sizeBytes === null ? 'flavorId' : 'hardware.devices.rootDisk.sizeBytes';
  const field = `body.${rootDiskBytes === undefined ? ofDevices : 'rootDiskBytes'}`;
  return new DomainError('invalid_request', `the root disk of ${bytes} bytes ${message}`, {
    details: { fields: [{ field, message: `its disk ${message}` }] },
  });
}
