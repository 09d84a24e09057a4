import { DomainError } from '@kvorum/schema';
import { CHAIN_LENGTH_MAX, SNAPSHOT_COUNT_MAX } from './layer-tree.js';
import { assertRoom, factsOf } from './observe-pool.js';
import {
  admit,
  assertChain,
  assertClosed,
  assertId,
  assertUsable,
  type DirectoryPool,
  finishPending,
  finishSnapshot,
  invalidField,
  put,
  topOf,
  withVolume,
} from './open-volume.js';
import { dropLayers } from './shorten-volume.js';
import type { Overlay, RevertVolume, SnapshotVolumes, VolumeFacts } from './storage-pool.js';
import { assertNotOvertaken, type Fence } from './volume-fence.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

/** More disks than a VM can have. */
const VOLUMES_PER_SNAPSHOT_MAX = 32;

/**
 * Port: StoragePool.snapshotVolumes. First an overlay for each volume, then on each record that it is about to be used, then the
 * switch, then the records. From the second step on the overlay counts: see `pending` in volume-record.ts.
 */
export async function snapshotVolumes(pool: DirectoryPool, request: SnapshotVolumes): Promise<VolumeFacts[]> {
  assertSnapshotRequest(request);
  const wanted = new Map(request.volumes.map((one) => [one.volumeId, one.snapshotId]));
  return pool.locks.holding([...wanted.keys()], async ({ descriptors: locks }) => {
    const begun: VolumeRecord[] = [];
    for (const one of await findAll(pool, request)) begun.push(await settle(pool, one, snapshotOf(wanted, one), locks));
    const missing = begun.filter((record) => !hasSnapshot(record, snapshotOf(wanted, record)));
    for (const record of missing) await assertPossible(pool, record, locks, request.switchLive === undefined);
    if (missing.length > 0) await assertRoom(pool);
    for (const record of missing) await prepare(pool, record, snapshotOf(wanted, record), locks);
    const ready = new Map<string, VolumeRecord>();
    for (const record of missing) {
      const snapshotId = snapshotOf(wanted, record);
      const pending = { kind: 'snapshot' as const, snapshotId, createdAtMs: pool.now() };
      ready.set(record.id, record.pending?.kind === 'snapshot' ? record : await put(pool, { ...record, pending }));
    }
    if (ready.size > 0) await request.switchLive?.([...ready.values()].map((record) => overlayOf(pool, record)));
    const facts: VolumeFacts[] = [];
    for (const record of begun) {
      const pending = ready.get(record.id);
      const done = pending === undefined ? record : await finishSnapshot(pool, pending);
      facts.push(await factsOf(pool, done));
    }
    return facts;
  });
}

/** None is admitted unless all are. */
async function findAll(pool: DirectoryPool, { volumes }: SnapshotVolumes): Promise<VolumeRecord[]> {
  const found: { record: VolumeRecord; fence: Fence | undefined }[] = [];
  for (const { volumeId, fence } of volumes) {
    const record = await pool.records.get(volumeId);
    if (fence !== undefined) assertNotOvertaken(volumeId, record.fence, fence);
    found.push({ record, fence });
  }
  const admitted: VolumeRecord[] = [];
  for (const { record, fence } of found) admitted.push(await admit(pool, record, fence));
  return admitted;
}

/** A pending snapshot of this very id is left as it is: the switch tells how far it came. */
async function settle(
  pool: DirectoryPool,
  record: VolumeRecord,
  snapshotId: string,
  locks: readonly number[],
): Promise<VolumeRecord> {
  assertUsable(pool, record);
  const isOurs = record.pending?.kind === 'snapshot' && record.pending.snapshotId === snapshotId;
  return isOurs ? record : finishPending(pool, record, locks);
}

const snapshotOf = (wanted: ReadonlyMap<string, string>, { id }: VolumeRecord): string => {
  const snapshotId = wanted.get(id);
  if (snapshotId === undefined) throw new RangeError(`volume ${id} was not asked for`);
  return snapshotId;
};

const hasSnapshot = ({ snapshots }: VolumeRecord, snapshotId: string): boolean =>
  snapshots.some(({ id }) => id === snapshotId);

async function assertPossible(
  pool: DirectoryPool,
  record: VolumeRecord,
  locks: readonly number[],
  isOffline: boolean,
): Promise<void> {
  if (record.snapshots.length >= SNAPSHOT_COUNT_MAX) {
    throw new DomainError(
      'conflict_state',
      `volume ${record.id} has ${SNAPSHOT_COUNT_MAX} snapshots; remove one first`,
    );
  }
  const topId = topOf(record);
  if (isOffline) await assertClosed(pool, record, locks);
  else await assertChain(pool, record, topId);
  if ((await pool.layers.chainLength(topId)) >= CHAIN_LENGTH_MAX) {
    throw new DomainError(
      'conflict_state',
      `volume ${record.id} is read through ${CHAIN_LENGTH_MAX} files; remove snapshots, or make a full clone`,
    );
  }
  if (record.pending?.kind === 'snapshot' && isOffline) {
    await pool.layers.assertNotOpen(layerIdOf(record.id, record.pending.snapshotId), locks);
  }
}

async function prepare(
  pool: DirectoryPool,
  record: VolumeRecord,
  snapshotId: string,
  locks: readonly number[],
): Promise<void> {
  // On record as pending: it is there, and may be written to.
  if (record.pending !== null) return;
  const overlayId = layerIdOf(record.id, snapshotId);
  if (record.layers.some(({ id }) => id === overlayId))
    throw invalidField('snapshotId', 'was used before; give a new one');
  await pool.layers.create(overlayId, topOf(record), record.sizeBytes, locks);
}

const overlayOf = (pool: DirectoryPool, record: VolumeRecord): Overlay => {
  if (record.pending?.kind !== 'snapshot') throw new RangeError('no snapshot is pending');
  return {
    kind: 'overlay',
    volumeId: record.id,
    layerId: layerIdOf(record.id, record.pending.snapshotId),
    basePath: pool.layers.pathOf(topOf(record)),
    path: pool.layers.pathOf(layerIdOf(record.id, record.pending.snapshotId)),
  };
};

export function assertSnapshotRequest({ volumes }: SnapshotVolumes): void {
  if (volumes.length === 0 || volumes.length > VOLUMES_PER_SNAPSHOT_MAX) {
    throw invalidField('volumes', `must name 1 to ${VOLUMES_PER_SNAPSHOT_MAX}`);
  }
  for (const { volumeId, snapshotId } of volumes) {
    assertId('volumeId', volumeId);
    assertId('snapshotId', snapshotId);
  }
  if (new Set(volumes.map(({ volumeId }) => volumeId)).size !== volumes.length) {
    throw invalidField('volumes', 'names one twice');
  }
}

/** Port: StoragePool.removeSnapshot. */
export async function removeSnapshot(
  pool: DirectoryPool,
  volumeId: string,
  snapshotId: string,
  fence?: Fence,
): Promise<VolumeFacts> {
  assertId('snapshotId', snapshotId);
  return withVolume(pool, volumeId, fence, async ({ record, locks }) => {
    assertUsable(pool, record);
    // The one snapshot of an image is all it is.
    topOf(record);
    const snapshots = record.snapshots.filter(({ id }) => id !== snapshotId);
    const without = snapshots.length === record.snapshots.length ? record : await put(pool, { ...record, snapshots });
    return factsOf(pool, await dropLayers(pool, { record: without, locks }));
  });
}

/** Port: StoragePool.revertVolume. */
export async function revertVolume(pool: DirectoryPool, request: RevertVolume): Promise<VolumeFacts> {
  const { volumeId, snapshotId, revertId, fence } = request;
  assertId('snapshotId', snapshotId);
  assertId('revertId', revertId);
  const newTopId = layerIdOf(volumeId, revertId);
  return withVolume(pool, volumeId, fence, async ({ record, locks }) => {
    assertUsable(pool, record);
    if (record.layers.some(({ id }) => id === newTopId))
      return factsOf(pool, await dropLayers(pool, { record, locks }));
    const snapshot = record.snapshots.find(({ id }) => id === snapshotId);
    if (snapshot === undefined) throw new DomainError('not_found', `volume ${volumeId} has no snapshot ${snapshotId}`);
    await assertClosed(pool, record, locks);
    await pool.layers.create(newTopId, snapshot.layerId, snapshot.sizeBytes, locks);
    const reverted = await put(pool, {
      ...record,
      topId: newTopId,
      sizeBytes: snapshot.sizeBytes,
      layers: [...record.layers, { id: newTopId, parentId: snapshot.layerId }],
    });
    return factsOf(pool, await dropLayers(pool, { record: reverted, locks }));
  });
}
