import type { AcceptedOperation, UpdateVolumeRequest, VolumeId, VolumePlan } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { requireGeneration } from '../require-generation.js';
import type { VolumeRequestOptions } from './ask-of-volumes.js';
import { growVolumeOfVm } from './attach-volume.js';
import { growVolumeOperation } from './grow-volume.operation.js';
import { askedOf, requestOnVolume, takeVolume } from './take-volume.js';
import { takeVolumeRoom } from './volume-room.js';
import { getVolume, requireLarger, requireState } from './volumes.js';

/** Throws quota_exceeded, no_capacity, in_use, conflict_state, precondition_failed, invalid_request, not_found. */
export const growVolume = async (
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  request: UpdateVolumeRequest,
  options: VolumeRequestOptions = {},
): Promise<AcceptedOperation> => {
  const volume = await getVolume(cp, actor, volumeId);
  if (volume.vmId === null) return growthTo(request).ask(cp, actor, volumeId, options);
  requireGeneration('volume', volume, options.ifMatch);
  return growVolumeOfVm(cp, actor, volume, request.sizeBytes, options);
};

/** What `growVolume` would do. Changes nothing. */
export const planVolumeGrowth = (
  cp: ControlPlane,
  actor: Actor,
  volumeId: VolumeId,
  request: UpdateVolumeRequest,
  options: VolumeRequestOptions = {},
): Promise<VolumePlan> => growthTo(request).plan(cp, actor, volumeId, options);

const growthTo = ({ sizeBytes }: UpdateVolumeRequest) =>
  requestOnVolume(async (tx, volume, operationId) => {
    requireLarger(volume, sizeBytes);
    requireState(volume, 'available');
    const moreBytes = sizeBytes - volume.sizeBytes;
    await takeVolumeRoom(tx, volume.projectId, new Map([[volume.poolId, moreBytes]]));
    const target = await takeVolume(tx, volume, 'available', operationId);
    const input = { ...target, beforeBytes: volume.sizeBytes, sizeBytes };
    return { ...askedOf(growVolumeOperation, input, { ...volume, sizeBytes }), diskBytesTaken: moreBytes };
  });
