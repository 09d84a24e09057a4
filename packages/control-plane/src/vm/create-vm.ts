import { NO_AMOUNTS } from '@kvorum/scheduler';
import {
  type AcceptedOperation,
  BALLOON_SHARES_DEFAULT,
  type CreateVmRequest,
  DomainError,
  type Flavor,
  type Image,
  newId,
  type OperationId,
  type Project,
  type VmId,
  type VolumeId,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { holdFlavor } from '../flavor/flavor.store.js';
import { holdImage } from '../image/image.store.js';
import { visible } from '../image/images.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { projectForNew } from '../project/default-project.js';
import { findProject, takeQuota } from '../project/project.store.js';
import { notFound } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from './accepted-operation.js';
import { balloonOf } from './balloon-of.js';
import { createVmOperation } from './create-vm.operation.js';
import { type PlacedVm, placeVm } from './place-vm.js';
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
}

/**
 * Creates a VM: quota, place, record, in one transaction, so that a refusal is immediate and explained, and an accepted VM
 * has its room for certain. The operation then does the work on the host. Throws quota_exceeded, no_capacity,
 * already_exists, not_found, conflict_state, forbidden, invalid_request.
 */
export async function createVm(
  cp: ControlPlane,
  actor: Actor,
  request: CreateVmRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<AcceptedOperation> {
  requirePlacementRight(actor, request);
  const ids = { vmId: newId<VmId>(), volumeId: newId<VolumeId>(), operationId: newId<OperationId>() };
  let placed: PlacedVm | null = null;
  let end: 'kept' | 'given up' = 'given up';
  try {
    const before = await withTransaction(cp.database, async (tx) => {
      // This may be another attempt after a rollback: the claim of the first one is not needed any more.
      placed?.settle('given up');
      placed = null;
      const answer = { status: ACCEPTED_STATUS, resourceId: ids.vmId, operationId: ids.operationId };
      const stored = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
      if (stored !== null) return stored;
      const parts = await holdParts(tx, actor, request);
      await takeQuotaFor(tx, parts);
      placed = await placeVm(tx, cp, actor, {
        vmId: ids.vmId,
        amounts: { ...NO_AMOUNTS, ...parts.flavor, diskBytes: parts.diskBytes },
        accelerator: request.accelerator ?? null,
        hostId: request.hostId ?? null,
      });
      await recordVm(tx, cp, actor, { ids, request, parts, placed });
      return null;
    });
    if (before !== null) return await acceptedOperation(cp.database, before.operationId, before.resourceId);
    end = 'kept';
  } finally {
    // Through a function: TypeScript does not see that the callback above has assigned it.
    settleClaim(placed, end);
  }
  await ringBell(cp, ids.operationId);
  return acceptedOperation(cp.database, ids.operationId, ids.vmId);
}

const settleClaim = (placed: PlacedVm | null, end: 'kept' | 'given up'): void => placed?.settle(end);

function requirePlacementRight(actor: Actor, request: CreateVmRequest): void {
  if (request.hostId !== undefined && actor.role !== 'admin') {
    throw new DomainError('forbidden', 'only admins choose the host', {
      details: { fields: [{ field: 'body.hostId', message: 'needs the role admin' }] },
    });
  }
}

async function holdParts(tx: Tx, actor: Actor, request: CreateVmRequest): Promise<Parts> {
  const project = await projectForNew(tx, actor, request.projectId);
  const flavor = await holdFlavor(tx, request.flavorId);
  if (flavor === null) throw notFound('the flavor', 'body.flavorId');
  const image = visible(actor, await holdImage(tx, request.imageId), 'body.imageId');
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
  return { project, flavor, image, diskBytes };
}

async function takeQuotaFor(tx: Tx, { project, flavor, diskBytes }: Parts): Promise<void> {
  const { vcpuCount, memoryBytes } = flavor;
  const needed = { vmCount: 1, vcpuCount, memoryBytes, diskBytes };
  if (await takeQuota(tx, project.id, needed)) return;
  const { quota, used } = (await findProject(tx, project.id)) ?? project;
  const short = (['vmCount', 'vcpuCount', 'memoryBytes', 'diskBytes'] as const).filter(
    (amount) => used[amount] + needed[amount] > quota[amount],
  );
  const sentence = short.map(
    (amount) => `${amount}: ${used[amount]} of ${quota[amount]} used, ${needed[amount]} needed`,
  );
  throw new DomainError('quota_exceeded', `project ${project.name} has not enough quota (${sentence.join('; ')})`, {
    details: { quota, used, needed, exceeded: short },
  });
}

async function recordVm(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  made: { ids: Ids; request: CreateVmRequest; parts: Parts; placed: PlacedVm },
): Promise<void> {
  const { ids, request, parts, placed } = made;
  const { project, flavor, image, diskBytes } = parts;
  const spec = {
    name: request.name,
    vcpuCount: flavor.vcpuCount,
    memoryBytes: flavor.memoryBytes,
    accelerator: placed.accelerator,
    pinVcpus: request.pinVcpus,
    balloon: balloonOf(request.balloon, flavor.memoryBytes),
    hardware: request.hardware,
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
  const placement = { placementId: newId(), placementRecord: placed.record };
  const balloonShares = request.balloon?.shares ?? BALLOON_SHARES_DEFAULT;
  const refs = { balloonShares, flavorId: flavor.id, imageId: image.id, diskBytes, labels: request.labels };
  if (!(await insertVm(tx, { ...ids, ...where, projectId: project.id, ...spec, ...refs, ...placement }))) {
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
