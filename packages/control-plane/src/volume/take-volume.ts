import { type AcceptedOperation, DomainError, type Volume, type VolumeId, type VolumePlan } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { type AskedOfVolumes, askOfVolumes, planOfVolumes, type VolumeRequestOptions } from './ask-of-volumes.js';
import { findVolume, settleVolumes, takeVolumes, type VolumeSettlement } from './volume.store.js';
import type { VolumeTarget } from './volume-operation.js';
import { recordVolumeStates, requireState, requireUnused, visibleVolume } from './volumes.js';

/** For the intent after the one that was read. */
export const targetOf = ({ id, poolId, projectId, name, generation }: Volume): VolumeTarget => ({
  ...{ volumeId: id, poolId, projectId, name },
  generation: generation + 1,
});

/** Takes a volume that no VM has for an operation. Throws in_use and conflict_state that say what is in the way. */
export async function takeVolume(
  tx: Tx,
  volume: Volume,
  state: 'available' | 'trashed',
  operationId: string,
): Promise<VolumeTarget> {
  requireUnused(volume);
  requireState(volume, state);
  await takeAll(tx, [volume], operationId);
  return targetOf(volume);
}

/** Throws conflict_state when somebody else was faster. */
export async function takeAll(tx: Tx, volumes: readonly Volume[], operationId: string): Promise<void> {
  if (!(await takeVolumes(tx, volumes, operationId))) {
    throw new DomainError('conflict_state', 'another request for the volume came in between; look at it anew');
  }
  await recordVolumeStates(tx, volumes.map(targetOf), operationId, 'updating');
}

/** Lets a volume go, in the transaction that ends the operation. */
export async function settleVolume(
  tx: Tx,
  operationId: string,
  target: VolumeTarget,
  end: VolumeSettlement,
): Promise<void> {
  await settleVolumes(tx, [target.volumeId], operationId, end);
  await recordVolumeStates(tx, [target], operationId, end.state);
}

type DecideOnVolume<Input> = (tx: Tx, volume: Volume, operationId: string) => Promise<AskedOfVolumes<Input>>;

/** A request on one volume that needs nothing but its name, and the plan of it, which has the same refusals. */
export const requestOnVolume = <Input>(decide: DecideOnVolume<Input>) => {
  const decideFor =
    (actor: Actor, volumeId: VolumeId, { ifMatch }: VolumeRequestOptions) =>
    async (tx: Tx, operationId: string): Promise<AskedOfVolumes<Input>> => {
      const volume = visibleVolume(actor, await findVolume(tx, volumeId));
      requireGeneration('volume', volume, ifMatch);
      return decide(tx, volume, operationId);
    };
  return {
    ask: (
      cp: ControlPlane,
      actor: Actor,
      volumeId: VolumeId,
      options: VolumeRequestOptions = {},
    ): Promise<AcceptedOperation> =>
      askOfVolumes(cp, actor, { kind: 'volume', id: volumeId }, options, decideFor(actor, volumeId, options)),
    plan: (
      cp: ControlPlane,
      actor: Actor,
      volumeId: VolumeId,
      options: VolumeRequestOptions = {},
    ): Promise<VolumePlan> => planOfVolumes(cp, decideFor(actor, volumeId, options)),
  };
};

/** Of a request that takes no more room. */
export const askedOf = <Input>(
  definition: AskedOfVolumes<Input>['definition'],
  input: Input,
  volume: Volume,
): AskedOfVolumes<Input> => ({
  definition,
  input,
  projectId: volume.projectId,
  volumes: [{ id: volume.id, name: volume.name, sizeBytes: volume.sizeBytes }],
  diskBytesTaken: 0,
});
