import {
  type AcceptedOperation,
  type CreateVolumeSnapshotsRequest,
  DomainError,
  newId,
  SNAPSHOTS_PER_VOLUME_MAX,
  type Volume,
  type VolumePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { findVmForIntent } from '../vm/vm-intent.store.js';
import {
  type AskedOfVolumes,
  askOfVolumes,
  planOfVolumes,
  type VolumeRequestOptions,
} from '../volume/ask-of-volumes.js';
import { type HeldVolumes, holdVolumes } from '../volume/hold-volumes.js';
import { findVolumesById, findVolumesOfVm } from '../volume/volume.store.js';
import { takeVolumeRoom } from '../volume/volume-room.js';
import { visibleVolume } from '../volume/volumes.js';
import { type CreateSnapshotsInput, createSnapshotsOperation } from './create-volume-snapshots.operation.js';
import { insertSnapshots } from './volume-snapshot.store.js';

/** Of all volumes at one instant. Throws conflict_state, quota_exceeded, no_capacity, already_exists, not_found. */
export function createVolumeSnapshots(
  cp: ControlPlane,
  actor: Actor,
  request: CreateVolumeSnapshotsRequest,
  options: VolumeRequestOptions = {},
): Promise<AcceptedOperation> {
  const setId = newId();
  return askOfVolumes(cp, actor, { kind: 'volume-snapshot', id: setId }, options, (tx, operationId) =>
    decide(tx, actor, request, setId, operationId),
  );
}

/** What `createVolumeSnapshots` would do. Changes nothing. */
export const planVolumeSnapshots = (
  cp: ControlPlane,
  actor: Actor,
  request: CreateVolumeSnapshotsRequest,
): Promise<VolumePlan> => planOfVolumes(cp, (tx, operationId) => decide(tx, actor, request, newId(), operationId));

async function decide(
  tx: Tx,
  actor: Actor,
  request: CreateVolumeSnapshotsRequest,
  setId: string,
  operationId: string,
): Promise<AskedOfVolumes<CreateSnapshotsInput>> {
  const volumes = await volumesOf(tx, actor, request);
  const [first] = volumes;
  if (first === undefined) throw new TypeError('volumesOf gives one at least');
  requireFewSnapshots(volumes);
  const bytesByPool = new Map<string, number>();
  for (const { poolId, sizeBytes } of volumes) bytesByPool.set(poolId, sizeBytes + (bytesByPool.get(poolId) ?? 0));
  await takeVolumeRoom(tx, first.projectId, bytesByPool);
  const held = await holdVolumes(tx, volumes, operationId);
  if (request.freeze === 'required') requireGuestAgent(held);
  const { name, freeze } = request;
  const snapshots = held.volumes.map((target, index) => ({
    ...target,
    id: newId(),
    sizeBytes: volumes[index]?.sizeBytes ?? 0,
  }));
  const rows = snapshots.map(({ id, volumeId, projectId, sizeBytes }) => {
    return { id, setId, volumeId, projectId, name, sizeBytes, operationId };
  });
  if ((await insertSnapshots(tx, rows)) < rows.length) {
    throw new DomainError('already_exists', `one of the volumes has a snapshot called ${name} already`, {
      details: { fields: [{ field: 'body.name', message: 'is taken' }] },
    });
  }
  return {
    definition: createSnapshotsOperation,
    input: { held, snapshots, freeze },
    projectId: first.projectId,
    volumes: volumes.map(({ id, name: volumeName, sizeBytes }) => ({ id, name: volumeName, sizeBytes })),
    diskBytesTaken: [...bytesByPool.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

async function volumesOf(tx: Tx, actor: Actor, request: CreateVolumeSnapshotsRequest): Promise<Volume[]> {
  const { vmId, volumeIds = [] } = request;
  if (vmId !== undefined) {
    const vm = await findVmForIntent(tx, vmId);
    if (vm === null || vm.isDeleted) throw notFound('the VM', 'body.vmId');
    requireProject(actor, vm.projectId, 'the VM', 'body.vmId');
    const volumes = await findVolumesOfVm(tx, vmId);
    if (volumes.length > 0) return volumes;
    throw new DomainError('conflict_state', `VM ${vm.name} has no volume on a storage pool`, {
      details: { fields: [{ field: 'body.vmId', message: 'has no volume on a storage pool' }] },
    });
  }
  const found = await findVolumesById(tx, volumeIds);
  const volumes = volumeIds.map((id, index) => visibleVolume(actor, found.get(id) ?? null, `body.volumeIds[${index}]`));
  if (volumes.length > 1 && volumes.some((volume) => volume.vmId === null)) {
    throw new DomainError('conflict_state', 'one instant is of the volumes of one VM; take others one by one', {
      details: { fields: [{ field: 'body.volumeIds', message: 'are not all of one VM' }] },
    });
  }
  return volumes;
}

export function requireFewSnapshots(volumes: readonly Volume[]): void {
  const full = volumes.find(({ snapshotCount }) => snapshotCount >= SNAPSHOTS_PER_VOLUME_MAX);
  if (full === undefined) return;
  throw new DomainError(
    'conflict_state',
    `volume ${full.name} has ${full.snapshotCount} snapshots, the most it may have; delete one, or make a full clone`,
    { details: { volumeId: full.id, snapshotCount: full.snapshotCount } },
  );
}

/** What does not run is as it lies: there is nothing to freeze. */
function requireGuestAgent({ vm }: HeldVolumes): void {
  if (vm === null || vm.power === 'stopped' || (vm.power === 'running' && vm.guestAgent === 'responding')) return;
  const why = vm.power === 'paused' ? 'it is paused' : 'its guest agent does not answer';
  throw new DomainError('conflict_state', `the guest cannot freeze its file systems: ${why}; ask for freeze auto`, {
    details: { fields: [{ field: 'body.freeze', message: `cannot be required: ${why}` }] },
  });
}
