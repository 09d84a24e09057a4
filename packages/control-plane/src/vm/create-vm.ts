import {
  type AcceptedOperation,
  type CreateVmRequest,
  DomainError,
  newId,
  type OperationId,
  type VmId,
  type VolumeId,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { withFloatingTrait } from '../floating-address/with-floating-trait.js';
import { findIdempotentAnswer } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import { type NewVmRequest, withTemplate } from '../vm-template/fork-request.js';
import { acceptedOperation, ringBell } from './accepted-operation.js';
import { refusalOf } from './assign-devices.js';
import { awaitCapacity, requireWaitRight } from './await-capacity.js';
import { withPorts } from './card-ports.js';
import { withAttachedVolumes } from './claim-pooled-disks.js';
import { type ClaimedVm, claimVm } from './claim-vms.js';
import { newCloudInit } from './cloud-init.js';
import { withAssignedDevices, withDevices } from './new-vm-hardware.js';
import { placeAndReserve, recordRefusal } from './place-vm.js';
import type { AttachedVolume } from './pooled-disks.js';
import { requestOfVm } from './request-of-vm.js';
import { readVmParts } from './vm-parts.js';
import { requireQuota } from './vm-quota.js';

/**
 * Creates a VM: a host is proposed first, without locks; quota, room and record are then one transaction, so that a refusal
 * is immediate and explained, and an accepted VM has its room for certain. The operation then does the work on the host.
 * Throws quota_exceeded, no_capacity, already_exists, not_found, conflict_state, forbidden, invalid_request.
 */
export async function createVm(
  cp: ControlPlane,
  actor: Actor,
  given: CreateVmRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<AcceptedOperation> {
  requirePlacementRight(actor, given);
  requireWaitRight(actor, given.waitForCapacity);
  const { idempotency } = options;
  const before = await findIdempotentAnswer(cp.database, actor.tokenId, idempotency);
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  const resolved = await withTemplate(cp.database, actor, given);
  const { request: withVolumes, attached } = await withVolumesOf(cp, actor, await withCardPorts(cp, actor, resolved));
  const attachedIds = new Set(attached.map(({ volumeId }) => volumeId));
  const request = withoutSecrets(withAssignedDevices(withVolumes, cp.siteId, attachedIds));
  const ids = { vmId: newId<VmId>(), volumeId: newId<VolumeId>(), operationId: newId<OperationId>() };
  const parts = await readVmParts(cp.database, actor, request, attached);
  requireQuota(parts);
  const wanted = await withFloatingTrait(cp.database, request, {
    ...requestOfVm(request, parts.flavor, parts.diskBytes),
    hostId: request.hostId ?? null,
  });
  const cloudInit = newCloudInit(cp.secrets, ids.vmId, resolved.cloudInit);
  const claim = { ids, actor, request, cloudInit, idempotency, parts, attached, now: cp.clock() };
  const end = await placeAndReserve(cp, ids.vmId, wanted, (proposed) => claimVm(cp.database, { ...claim, proposed }));
  if (end.refusal !== null) {
    // The same request may have been accepted meanwhile, and taken the last room.
    const accepted = await findIdempotentAnswer(cp.database, actor.tokenId, idempotency);
    if (accepted !== null) return acceptedOperation(cp.database, accepted.operationId, accepted.resourceId);
    const { waitForCapacity } = request;
    // What contradicts the fleet itself would wait in vain.
    if (waitForCapacity === undefined || end.refusal.record.contradictions.length > 0) {
      throw await recordRefusal(cp, actor, end.refusal, { projectId: parts.project.id, vmName: request.name });
    }
    return answerTo(cp, await awaitCapacity(cp, { ...claim, proposed: null }, end.refusal, waitForCapacity), ids.vmId);
  }
  if (end.result.stored === null) await ringBell(cp, ids.operationId);
  return answerTo(cp, end.result, ids.vmId);
}

const withoutSecrets = ({ cloudInit, ...request }: NewVmRequest): NewVmRequest =>
  cloudInit === undefined ? request : { ...request, cloudInit: { ...cloudInit, userData: null } };

async function withCardPorts(cp: ControlPlane, actor: Actor, request: NewVmRequest): Promise<NewVmRequest> {
  const { devices } = request.hardware;
  if (devices.nics.every(({ backend }) => backend.kind !== 'network')) return request;
  const { id: projectId } = await projectForNew(cp.database, actor, request.projectId);
  const nics = await withPorts(cp.database, { actor, projectId, vmId: null, wanted: devices.nics, known: [] });
  return { ...request, hardware: withDevices(request.hardware, { ...devices, nics }) };
}

async function withVolumesOf(
  cp: ControlPlane,
  actor: Actor,
  request: NewVmRequest,
): Promise<{ request: NewVmRequest; attached: AttachedVolume[] }> {
  const { devices } = request.hardware;
  const isPlain = [devices.rootDisk, ...devices.dataDisks].every(({ poolId }) => poolId === null);
  if (isPlain && devices.dataDisks.every(({ id }) => id === null)) return { request, attached: [] };
  if (request.waitForCapacity !== undefined) {
    throw refusalOf(
      'body.waitForCapacity',
      'is not possible with disks on storage pools: leave it out, and try again later',
    );
  }
  const { id: projectId } = await projectForNew(cp.database, actor, request.projectId);
  const asked = { projectId, wanted: devices, knownIds: new Set<string>() };
  const { dataDisks, attached } = await withAttachedVolumes(cp.database, asked);
  return { request: { ...request, hardware: withDevices(request.hardware, { ...devices, dataDisks }) }, attached };
}

function answerTo(cp: ControlPlane, claimed: ClaimedVm, vmId: VmId): AcceptedOperation | Promise<AcceptedOperation> {
  if (claimed.stored === null) return { operation: claimed.operation, resourceId: vmId };
  return acceptedOperation(cp.database, claimed.stored.operationId, claimed.stored.resourceId);
}

function requirePlacementRight(actor: Actor, request: CreateVmRequest): void {
  if (request.hostId !== undefined && actor.role !== 'admin') {
    throw new DomainError('forbidden', 'only admins choose the host', {
      details: { fields: [{ field: 'body.hostId', message: 'needs the role admin' }] },
    });
  }
}
