import type { AcceptedOperation, Volume, VolumePlan, VolumeSnapshot, VolumeSnapshotId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import {
  type AskedOfVolumes,
  askOfVolumes,
  planOfVolumes,
  type VolumeRequestOptions,
} from '../volume/ask-of-volumes.js';
import { findVolume } from '../volume/volume.store.js';
import { visibleVolume } from '../volume/volumes.js';
import { findSnapshot } from './volume-snapshot.store.js';
import { requireAvailable, visibleSnapshot } from './volume-snapshots.js';

type DecideOnSnapshot<Input> = (
  tx: Tx,
  snapshot: VolumeSnapshot,
  volume: Volume,
  operationId: string,
) => Promise<AskedOfVolumes<Input>>;

/** A request on one snapshot, and the plan of it, which has the same refusals. */
export const requestOnSnapshot = <Input>(decide: DecideOnSnapshot<Input>) => {
  const decideFor =
    (actor: Actor, snapshotId: VolumeSnapshotId) =>
    async (tx: Tx, operationId: string): Promise<AskedOfVolumes<Input>> => {
      const snapshot = visibleSnapshot(actor, await findSnapshot(tx, snapshotId));
      requireAvailable(snapshot);
      const volume = visibleVolume(actor, await findVolume(tx, snapshot.volumeId));
      return decide(tx, snapshot, volume, operationId);
    };
  return {
    ask: (
      cp: ControlPlane,
      actor: Actor,
      snapshotId: VolumeSnapshotId,
      options: VolumeRequestOptions = {},
    ): Promise<AcceptedOperation> =>
      askOfVolumes(cp, actor, { kind: 'volume-snapshot', id: snapshotId }, options, decideFor(actor, snapshotId)),
    plan: (cp: ControlPlane, actor: Actor, snapshotId: VolumeSnapshotId): Promise<VolumePlan> =>
      planOfVolumes(cp, decideFor(actor, snapshotId)),
  };
};
