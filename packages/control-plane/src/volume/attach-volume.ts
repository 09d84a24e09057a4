import type { AcceptedOperation, AttachVolumeRequest, VmId, VmUpdatePlan, Volume, VolumeId } from '@kvorum/schema';
import { DomainError } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { findIdempotentAnswer } from '../operations/idempotency.store.js';
import { requireGeneration } from '../require-generation.js';
import { acceptedOperation } from '../vm/accepted-operation.js';
import { planVmUpdate, updateVm } from '../vm/update-vm.js';
import type { VolumeRequestOptions } from './ask-of-volumes.js';
import { type DiskEdit, updateOfDisks } from './update-of-disks.js';
import { getVolume, requireLarger, requireState, requireUnused } from './volumes.js';

/**
 * A disk comes, goes and grows by an update of its VM, at once if that runs: so nothing else happens to the VM meanwhile, and the
 * update itself takes the volume, or finds that another VM was faster. Throws what updateVm throws.
 */
async function askOfVm(
  cp: ControlPlane,
  actor: Actor,
  options: VolumeRequestOptions,
  decide: () => Promise<DiskEdit>,
): Promise<AcceptedOperation> {
  const before = await findIdempotentAnswer(cp.database, actor.tokenId, options.idempotency);
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  const { vmId, body, ifMatch } = await updateOfDisks(cp, actor, await decide());
  return updateVm(cp, actor, vmId, body, { idempotency: options.idempotency, ifMatch });
}

async function planOfVm(cp: ControlPlane, actor: Actor, edit: DiskEdit): Promise<VmUpdatePlan> {
  const { vmId, body, ifMatch } = await updateOfDisks(cp, actor, edit);
  return planVmUpdate(cp, actor, vmId, body, { ifMatch });
}

/** Throws in_use, conflict_state, no_capacity, not_found. */
export const attachVolume = (
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  request: AttachVolumeRequest,
  options: VolumeRequestOptions = {},
): Promise<AcceptedOperation> => askOfVm(cp, actor, options, () => attachment(cp, actor, volumeId, request, options));

export const planVolumeAttachment = async (
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  request: AttachVolumeRequest,
  options: VolumeRequestOptions = {},
): Promise<VmUpdatePlan> => planOfVm(cp, actor, await attachment(cp, actor, volumeId, request, options));

async function attachment(
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  { vmId }: AttachVolumeRequest,
  { ifMatch }: VolumeRequestOptions,
): Promise<DiskEdit> {
  const volume = await getVolume(cp, actor, volumeId);
  requireGeneration('volume', volume, ifMatch);
  requireUnused(volume);
  requireState(volume, 'available');
  return { kind: 'attach', vmId, volume };
}

/** A guest that runs has to let go of it. Throws conflict_state, not_found. */
export const detachVolume = (
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  options: VolumeRequestOptions = {},
): Promise<AcceptedOperation> => askOfVm(cp, actor, options, () => detachment(cp, actor, volumeId, options));

export const planVolumeDetachment = async (
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  options: VolumeRequestOptions = {},
): Promise<VmUpdatePlan> => planOfVm(cp, actor, await detachment(cp, actor, volumeId, options));

async function detachment(
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  { ifMatch }: VolumeRequestOptions,
): Promise<DiskEdit> {
  const volume = await getVolume(cp, actor, volumeId);
  requireGeneration('volume', volume, ifMatch);
  const vmId = requireUsed(volume);
  if (volume.role !== 'root') return { kind: 'detach', vmId, volume };
  throw new DomainError('conflict_state', `volume ${volume.name} is the root disk of its VM: delete the VM instead`, {
    details: { vmId },
  });
}

function requireUsed({ name, vmId }: Volume): VmId {
  if (vmId !== null) return vmId;
  throw new DomainError('conflict_state', `volume ${name} is in use by no VM`, { details: {} });
}

/** Of a volume that a VM has. */
export const growVolumeOfVm = (
  cp: ControlPlane,
  actor: Actor,
  volume: Volume,
  sizeBytes: number,
  options: VolumeRequestOptions,
): Promise<AcceptedOperation> =>
  askOfVm(cp, actor, options, async () => {
    requireLarger(volume, sizeBytes);
    return { kind: 'grow', vmId: requireUsed(volume), volume, sizeBytes };
  });
