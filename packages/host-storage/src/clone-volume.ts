import { DomainError } from '@kvorum/schema';
import { findAdmitted, newRecord } from './ensure-volume.js';
import { CHAIN_LENGTH_MAX, parentOf } from './layer-tree.js';
import { assertRoom, factsOf } from './observe-pool.js';
import {
  admit,
  assertChain,
  assertId,
  assertSize,
  type DirectoryPool,
  finishPending,
  invalidField,
  put,
} from './open-volume.js';
import type { CloneVolume, CloneWatch, VolumeFacts } from './storage-pool.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

/**
 * Port: StoragePool.cloneVolume. The source learns of the clone before there is one, so that the layer cannot go. A full copy takes
 * long: the source is locked only while that is noted, and the clone is on record as `copying` until it is whole.
 */
export async function cloneVolume(
  pool: DirectoryPool,
  request: CloneVolume,
  watch: CloneWatch = {},
): Promise<VolumeFacts> {
  assertCloneRequest(request);
  const { volumeId, source, fence } = request;
  const begun = await pool.locks.holding([volumeId, source.volumeId], async ({ descriptors }) => {
    const found = await findAdmitted(pool, volumeId, fence);
    if (found !== null) return sameClone(found, request);
    const { origin, record } = await noteClone(pool, request, descriptors);
    if (!request.isLinked) return put(pool, { ...record, state: 'copying', layers: [], topId: null });
    const firstId = layerIdOf(volumeId, volumeId);
    await pool.layers.create(firstId, origin.layerId, record.sizeBytes, descriptors);
    return put(pool, { ...record, layers: [{ id: firstId, parentId: origin.layerId }] });
  });
  if (begun.state === 'ready') return factsOf(pool, begun);
  return pool.locks.holding([volumeId], async ({ descriptors }) => {
    // Another may have finished, or removed it, since the lock was given back.
    const record = sameClone(await admit(pool, await pool.records.get(volumeId), fence), request);
    return factsOf(pool, record.state === 'ready' ? record : await copy(pool, record, descriptors, watch));
  });
}

async function noteClone(
  pool: DirectoryPool,
  { volumeId, ownerId, source, isLinked, fence, ...wanted }: CloneVolume,
  locks: readonly number[],
): Promise<{ origin: NonNullable<VolumeRecord['origin']>; record: VolumeRecord }> {
  const found = await pool.records.get(source.volumeId);
  // The layer of the snapshot may be the one that is to go.
  const from = found.pending?.kind === 'merge' ? await finishPending(pool, found, locks) : found;
  if (from.state !== 'ready') {
    throw new DomainError('conflict_state', `volume ${from.id} is ${from.state}; restore it or wait for it first`);
  }
  const snapshot = from.snapshots.find(({ id }) => id === source.snapshotId);
  if (snapshot === undefined) {
    throw new DomainError('not_found', `volume ${from.id} has no snapshot ${source.snapshotId}`);
  }
  const { layerId } = snapshot;
  const sizeBytes = wanted.sizeBytes ?? snapshot.sizeBytes;
  if (sizeBytes < snapshot.sizeBytes) {
    throw invalidField('sizeBytes', `is below the ${snapshot.sizeBytes} of what it comes from`);
  }
  await assertChain(pool, from, layerId);
  if (isLinked && (await pool.layers.chainLength(layerId)) >= CHAIN_LENGTH_MAX) {
    throw new DomainError(
      'conflict_state',
      `the snapshot is read through ${CHAIN_LENGTH_MAX} files; make a full clone`,
    );
  }
  await assertRoom(pool, isLinked || pool.capabilities.hasReflink ? 0 : await chainBytes(pool, from, layerId));
  const others = from.dependents.filter((one) => one.volumeId !== volumeId);
  await put(pool, { ...from, dependents: [...others, { volumeId, layerId }] });
  const origin = { volumeId: from.id, layerId, isLinked };
  return { origin, record: { ...newRecord({ volumeId, ownerId, sizeBytes }, fence), origin } };
}

async function copy(
  pool: DirectoryPool,
  record: VolumeRecord,
  locks: readonly number[],
  watch: CloneWatch,
): Promise<VolumeRecord> {
  if (record.origin === null) throw new RangeError(`volume ${record.id} was not cloned`);
  const { volumeId: sourceId, layerId } = record.origin;
  const source = await pool.records.find(sourceId);
  if (source === null) throw new DomainError('host_fault', `the source of volume ${record.id} is gone: ${sourceId}`);
  await assertChain(pool, source, layerId);
  const firstId = layerIdOf(record.id, record.id);
  const isAlone = (await pool.layers.chainLength(layerId)) === 1;
  if (isAlone && pool.capabilities.hasReflink) await pool.layers.reflink(firstId, layerId, locks);
  else await pool.layers.copy(firstId, layerId, locks, watch);
  watch.onProgress?.(1);
  return put(pool, { ...record, state: 'ready', layers: [{ id: firstId, parentId: null }], topId: firstId });
}

function sameClone(found: VolumeRecord, { ownerId, source, isLinked, sizeBytes }: CloneVolume): VolumeRecord {
  const { origin } = found;
  const isSame = origin?.volumeId === source.volumeId && origin.isLinked === isLinked && found.ownerId === ownerId;
  if (
    isSame &&
    (sizeBytes === undefined || sizeBytes === found.sizeBytes) &&
    (found.state === 'ready' || found.state === 'copying')
  )
    return found;
  throw new DomainError('already_exists', `volume ${found.id} is there already: ${found.state}, and not this clone`);
}

/** An upper bound of what a full copy takes: what its layers take, those of other volumes not counted. */
async function chainBytes(pool: DirectoryPool, record: VolumeRecord, layerId: string): Promise<number> {
  let bytes = 0;
  for (let at: string | null = layerId; at !== null; at = parentOf(record, at))
    bytes += await pool.layers.allocatedBytes(at);
  return bytes;
}

export function assertCloneRequest({ volumeId, ownerId, source, isLinked, sizeBytes }: CloneVolume): void {
  assertId('volumeId', volumeId);
  assertId('ownerId', ownerId);
  assertId('source.volumeId', source.volumeId);
  assertId('source.snapshotId', source.snapshotId);
  if (sizeBytes !== undefined) {
    assertSize(sizeBytes);
    if (!isLinked) throw invalidField('sizeBytes', 'goes with linked clones: grow a full one afterwards');
  }
  if (volumeId === source.volumeId) throw invalidField('volumeId', 'is that of the source');
}
