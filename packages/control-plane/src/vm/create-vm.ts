import {
  type Accelerator,
  type AcceptedOperation,
  BALLOON_SHARES_DEFAULT,
  type BalloonPolicy,
  type CreateVmRequest,
  DomainError,
  type Flavor,
  type Image,
  newId,
  type OperationId,
  type Project,
  traitsNeededBy,
  type VmId,
  type VolumeId,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Database, type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { findFlavor, holdFlavor } from '../flavor/flavor.store.js';
import { reserve } from '../host/reservation.store.js';
import { findImage, holdImage } from '../image/image.store.js';
import { visible } from '../image/images.js';
import { claimIdempotencyKey, findIdempotentAnswer, type IdempotentAnswer } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { insertPlacement } from '../placement/placement.store.js';
import { projectForNew } from '../project/default-project.js';
import { overQuota, QUOTA_AMOUNTS } from '../project/over-quota.js';
import { findProject, takeQuota, type Usage } from '../project/project.store.js';
import { notFound } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from './accepted-operation.js';
import { amountsOfVm, requireLayout } from './amounts-of-vm.js';
import { balloonOf } from './balloon-of.js';
import { createVmOperation } from './create-vm.operation.js';
import { requirePlainDevices, sizedHardware } from './new-vm-hardware.js';
import { type PlaceRequest, type ProposedHost, placeAndReserve, RoomLost, recordRefusal } from './place-vm.js';
import { insertVm } from './vm.store.js';

interface Ids {
  readonly vmId: VmId;
  readonly volumeId: VolumeId;
  readonly operationId: OperationId;
}

/** What a VM is made of, read and held in the transaction. */
interface Parts {
  readonly project: Project;
  readonly flavor: Flavor;
  readonly image: Image;
  readonly diskBytes: number;
  readonly balloon: BalloonPolicy | null;
}

/**
 * Creates a VM: a host is proposed first, without locks; quota, room and record are then one transaction, so that a refusal
 * is immediate and explained, and an accepted VM has its room for certain. The operation then does the work on the host.
 * Throws quota_exceeded, no_capacity, already_exists, not_found, conflict_state, forbidden, invalid_request.
 */
export async function createVm(
  cp: ControlPlane,
  actor: Actor,
  request: CreateVmRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<AcceptedOperation> {
  requirePlacementRight(actor, request);
  const before = await findIdempotentAnswer(cp.database, actor.tokenId, options.idempotency);
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  const ids = { vmId: newId<VmId>(), volumeId: newId<VolumeId>(), operationId: newId<OperationId>() };
  const parts = await readParts(cp.database, actor, request, { flavor: findFlavor, image: findImage });
  // What is over quota anyway needs no host. Decided again where it counts, under the project's lock.
  requireQuota(parts);
  const wanted = {
    vmId: ids.vmId,
    ...shareOf(request, parts),
    accelerator: request.accelerator ?? null,
    hostId: request.hostId ?? null,
    requiredTraits: traitsNeededBy(request.hardware),
  };
  const end = await placeAndReserve(cp, wanted, (proposed) =>
    withTransaction(cp.database, (tx) => claimAndRecord(tx, cp, actor, { ids, request, options, proposed })),
  );
  if (end.refusal !== null) {
    // The same request may have been accepted meanwhile, and taken the last room.
    const accepted = await findIdempotentAnswer(cp.database, actor.tokenId, options.idempotency);
    if (accepted !== null) return acceptedOperation(cp.database, accepted.operationId, accepted.resourceId);
    throw await recordRefusal(cp, actor, end.refusal, { projectId: parts.project.id, vmName: request.name });
  }
  const { stored } = end.result;
  if (stored !== null) return acceptedOperation(cp.database, stored.operationId, stored.resourceId);
  await ringBell(cp, ids.operationId);
  return acceptedOperation(cp.database, ids.operationId, ids.vmId);
}

/** What the rows of flavor and request ask of a host. */
const shareOf = (request: CreateVmRequest, { flavor, diskBytes }: Parts): Pick<PlaceRequest, 'amounts' | 'smt'> => ({
  amounts: amountsOfVm(request, flavor, diskBytes),
  smt: request.hardware.cpuPolicy.smt,
});

/** Locks key, project and host, in this order. `stored`: the same request was accepted before. */
async function claimAndRecord(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  made: {
    ids: Ids;
    request: CreateVmRequest;
    options: { idempotency?: Idempotency | undefined };
    proposed: ProposedHost;
  },
): Promise<{ readonly stored: IdempotentAnswer | null }> {
  const { ids, request, options, proposed } = made;
  const answer = { status: ACCEPTED_STATUS, resourceId: ids.vmId, operationId: ids.operationId };
  const stored = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
  if (stored !== null) return { stored };
  // Held now: flavor and image cannot be deleted any more until the VM names them.
  const parts = await readParts(tx, actor, request, { flavor: holdFlavor, image: holdImage });
  await recordVm(tx, cp, actor, { ids, request, parts, placed: proposed });
  const { record, evidence } = proposed;
  const requestedBy = actor.tokenName;
  const of = { projectId: parts.project.id, vmId: ids.vmId, vmName: request.name, requestedBy };
  await insertPlacement(tx, { id: newId(), ...of, record, evidence });
  // Last, and the host after the project: VMs are packed, so many requests want the same host's row, and each waits for as
  // long as the one before it has it. Of the rows written above nobody else knows yet.
  await takeQuotaFor(tx, parts);
  const room = { vmId: ids.vmId, hostId: proposed.hostId, ...shareOf(request, parts) };
  if ((await reserve(tx, { ...room, accelerator: proposed.accelerator })) === null) throw new RoomLost();
  return { stored: null };
}

function requirePlacementRight(actor: Actor, request: CreateVmRequest): void {
  if (request.hostId !== undefined && actor.role !== 'admin') {
    throw new DomainError('forbidden', 'only admins choose the host', {
      details: { fields: [{ field: 'body.hostId', message: 'needs the role admin' }] },
    });
  }
}

interface Readers<From> {
  readonly flavor: (from: From, id: string) => Promise<Flavor | null>;
  readonly image: (from: From, id: string) => Promise<Image | null>;
}

async function readParts<From extends Database | Tx>(
  from: From,
  actor: Actor,
  request: CreateVmRequest,
  read: Readers<From>,
): Promise<Parts> {
  const project = await projectForNew(from, actor, request.projectId);
  const flavor = await read.flavor(from, request.flavorId);
  if (flavor === null) throw notFound('the flavor', 'body.flavorId');
  requirePlainDevices(request, flavor);
  const image = visible(actor, await read.image(from, request.imageId), 'body.imageId');
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

const usageOf = ({ flavor, diskBytes }: Parts): Usage => {
  const { vcpuCount, memoryBytes } = flavor;
  return { vmCount: 1, vcpuCount, memoryBytes, diskBytes };
};

async function takeQuotaFor(tx: Tx, parts: Parts): Promise<void> {
  if (await takeQuota(tx, parts.project.id, usageOf(parts))) return;
  const project = (await findProject(tx, parts.project.id)) ?? parts.project;
  throw overQuota(project, usageOf(parts));
}

function requireQuota(parts: Parts): void {
  const { quota, used } = parts.project;
  const needed = usageOf(parts);
  if (QUOTA_AMOUNTS.some((amount) => used[amount] + needed[amount] > quota[amount])) {
    throw overQuota(parts.project, needed);
  }
}

async function recordVm(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  made: { ids: Ids; request: CreateVmRequest; parts: Parts; placed: { hostId: string; accelerator: Accelerator } },
): Promise<void> {
  const { ids, request, parts, placed } = made;
  const { project, flavor, image, diskBytes, balloon } = parts;
  const spec = {
    name: request.name,
    vcpuCount: flavor.vcpuCount,
    memoryBytes: flavor.memoryBytes,
    accelerator: placed.accelerator,
    balloon,
    hardware: sizedHardware(request, diskBytes),
    // Each start is one epoch; a VM that is made stopped has not had any.
    epoch: request.start ? 1 : 0,
  };
  const where = { vmId: ids.vmId, projectId: project.id, hostId: placed.hostId };
  await recordOperation(tx, {
    definition: createVmOperation,
    input: {
      ...where,
      ...spec,
      generation: 1,
      rootVolumeId: ids.volumeId,
      diskBytes,
      image: { imageId: image.id, sha256: image.sha256, sizeBytes: image.sizeBytes ?? 0 },
      isStarted: request.start,
    },
    projectId: project.id,
    resourceKind: 'vm',
    resourceId: ids.vmId,
    createdBy: actor.tokenName,
    now: cp.clock(),
    operationId: ids.operationId,
  });
  const balloonShares = request.balloon?.shares ?? BALLOON_SHARES_DEFAULT;
  const refs = { balloonShares, flavorId: flavor.id, imageId: image.id, diskBytes, labels: request.labels };
  if (!(await insertVm(tx, { ...ids, ...where, projectId: project.id, ...spec, ...refs }))) {
    throw new DomainError('already_exists', `project ${project.name} has a VM called ${request.name} already`);
  }
  await recordEvent(tx, {
    type: 'vm.state',
    projectId: project.id,
    resourceKind: 'vm',
    resourceId: ids.vmId,
    data: { from: null, to: 'creating', name: request.name, hostId: placed.hostId, operationId: ids.operationId },
  });
}
