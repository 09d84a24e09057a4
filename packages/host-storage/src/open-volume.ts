import { DISK_BYTES_MAX, DISK_BYTES_MIN, DomainError, MIB } from '@kvorum/schema';
import type { LayerFiles } from './layer-files.js';
import { childrenOf, mergeLayer, ownChain, parentOf } from './layer-tree.js';
import type { PoolCapabilities, PoolDriverName } from './pool-drivers.js';
import { assertNotOvertaken, compareFences, type Fence, type Tombstones } from './volume-fence.js';
import type { VolumeLocks } from './volume-lock.js';
import { Id, layerIdOf, type RecordFiles, type VolumeRecord } from './volume-record.js';

/** What every verb of a pool of qcow2 files works with. */
export interface DirectoryPool {
  readonly id: string;
  readonly hostId: string;
  readonly driver: PoolDriverName;
  readonly capabilities: PoolCapabilities;
  readonly folder: string;
  readonly quarantineFolder: string;
  readonly records: RecordFiles;
  readonly layers: LayerFiles;
  readonly locks: VolumeLocks;
  readonly tombstones: Tombstones;
  /** Of the file system's bytes: from here on nothing new is made. */
  readonly highWaterRatio: number;
  readonly now: () => number;
}

/** A volume whose lock is held, and on which nothing is half done. */
export interface OpenVolume {
  readonly record: VolumeRecord;
  readonly locks: readonly number[];
}

/** Locks the volume, admits the request, finishes what was begun on the volume, and runs the verb. Throws `not_found`. */
export async function withVolume<T>(
  pool: DirectoryPool,
  id: string,
  fence: Fence | undefined,
  run: (open: OpenVolume) => Promise<T>,
): Promise<T> {
  assertId('volumeId', id);
  return pool.locks.holding([id], async ({ descriptors }) => {
    const admitted = await admit(pool, await pool.records.get(id), fence);
    const record = await finishPending(pool, admitted, descriptors);
    return run({ record, locks: descriptors });
  });
}

/** Remembers the request's fence before anything is done. Throws `stale_generation`, and changes nothing, for an older one. */
export async function admit(
  pool: DirectoryPool,
  record: VolumeRecord,
  fence: Fence | undefined,
): Promise<VolumeRecord> {
  if (fence === undefined) return record;
  assertNotOvertaken(record.id, record.fence, fence);
  return compareFences(fence, record.fence) === 0 ? record : put(pool, { ...record, fence });
}

/** What a verb that was cut off had begun. Each branch may itself be cut off and come again. */
export async function finishPending(
  pool: DirectoryPool,
  record: VolumeRecord,
  locks: readonly number[],
): Promise<VolumeRecord> {
  const { pending } = record;
  if (pending === null) return record;
  // A shared volume that another host uses is finished by that host.
  if (pending.kind === 'merge') assertNotMergedElsewhere(pool, record);
  assertUsable(pool, record);
  if (pending.kind === 'merge') return finishMerge(pool, record, pending.childId, locks);
  if (pending.kind === 'grow') return finishGrow(pool, record, pending.sizeBytes, locks);
  await assertClosed(pool, record, locks);
  await pool.layers.assertNotOpen(layerIdOf(record.id, pending.snapshotId), locks);
  return finishSnapshot(pool, record);
}

export async function finishSnapshot(pool: DirectoryPool, record: VolumeRecord): Promise<VolumeRecord> {
  const { pending, topId } = record;
  if (pending?.kind !== 'snapshot' || topId === null) throw new RangeError('no snapshot is pending');
  const { snapshotId, createdAtMs } = pending;
  const overlayId = layerIdOf(record.id, snapshotId);
  await pool.layers.freeze(topId);
  return put(pool, {
    ...record,
    pending: null,
    topId: overlayId,
    layers: [...record.layers, { id: overlayId, parentId: topId }],
    snapshots: [...record.snapshots, { id: snapshotId, layerId: topId, sizeBytes: record.sizeBytes, createdAtMs }],
  });
}

async function finishGrow(
  pool: DirectoryPool,
  record: VolumeRecord,
  sizeBytes: number,
  locks: readonly number[],
): Promise<VolumeRecord> {
  const topId = topOf(record);
  await pool.layers.assertRestsOn(topId, [parentOf(record, topId)]);
  await pool.layers.repairLeaks(topId, locks);
  await pool.layers.grow(topId, sizeBytes, locks);
  return put(pool, { ...record, sizeBytes, pending: null });
}

/**
 * The child's content goes down first, then those above it are turned to the layer below, then the record, then its file: at each
 * moment every layer that is still named shows what it showed before, so each part may be cut off and repeated.
 */
async function finishMerge(
  pool: DirectoryPool,
  record: VolumeRecord,
  childId: string,
  locks: readonly number[],
): Promise<VolumeRecord> {
  const baseId = parentOf(record, childId);
  if (baseId === null) throw new DomainError('host_fault', `layer ${childId} cannot be merged: it rests on nothing`);
  // Through the VM that has it open it goes on by itself: live-merge.ts.
  if (record.topId !== null) await pool.layers.assertNotOpen(record.topId, locks);
  await pool.layers.assertRestsOn(childId, [baseId]);
  await pool.layers.assertRestsOn(baseId, [parentOf(record, baseId)]);
  await pool.layers.mergeDown(childId, baseId, locks);
  for (const aboveId of childrenOf(record, childId)) {
    await pool.layers.assertRestsOn(aboveId, [childId, baseId]);
    await pool.layers.reparent(aboveId, baseId, locks);
  }
  if (record.topId !== childId) await pool.layers.freeze(baseId);
  const merged = await put(pool, { ...mergeLayer(record, childId), pending: null });
  // Cut off here, the file is one that no volume names: a sweep finds it.
  await pool.layers.remove(childId);
  return merged;
}

export async function put(pool: DirectoryPool, record: VolumeRecord): Promise<VolumeRecord> {
  await pool.records.put(record);
  return record;
}

export const topOf = (record: VolumeRecord): string => {
  if (record.topId !== null) return record.topId;
  if (record.image !== null) throw new DomainError('conflict_state', `volume ${record.id} is an image: clone it`);
  throw new DomainError('conflict_state', `volume ${record.id} has no content yet: it is being copied`);
};

/** Throws `conflict_state` unless the volume is whole, out of the trash, and not another host's. */
export function assertUsable(pool: DirectoryPool, record: VolumeRecord): void {
  if (record.state !== 'ready') {
    throw new DomainError('conflict_state', `volume ${record.id} is ${record.state}; restore it or wait for it first`);
  }
  assertNotElsewhere(pool, record);
}

/** The VM that has the volume open merges its layers: that ends, or is broken off when its own host asks for something else. */
function assertNotMergedElsewhere(pool: DirectoryPool, { id, holder }: VolumeRecord): void {
  if (holder === null || holder.hostId === pool.hostId) return;
  throw new DomainError('unavailable', `layers of volume ${id} are being merged on host ${holder.hostId}; ask again`);
}

export function assertNotElsewhere(pool: DirectoryPool, record: VolumeRecord): void {
  if (record.holder !== null && record.holder.hostId !== pool.hostId) {
    throw new DomainError('conflict_state', `volume ${record.id} is in use by host ${record.holder.hostId}`);
  }
}

/** Throws `conflict_state` while a VM has the volume open, whoever claims it. */
export async function assertClosed(pool: DirectoryPool, record: VolumeRecord, locks: readonly number[]): Promise<void> {
  const topId = topOf(record);
  await assertChain(pool, record, topId);
  await pool.layers.assertNotOpen(topId, locks);
}

/** Each layer was written by a VM's process once: what it says it rests on is compared with the record before anything follows it. */
export async function assertChain(pool: DirectoryPool, record: VolumeRecord, layerId: string): Promise<void> {
  for (const id of ownChain(record, layerId)) await pool.layers.assertRestsOn(id, [parentOf(record, id)]);
}

/** Ids become file names: only what is a UUID does. */
export function assertId(field: string, value: string): void {
  if (!Id.safeParse(value).success) throw invalidField(field, 'must be a UUID in lower case');
}

export function assertSize(sizeBytes: number): void {
  const isWithin = Number.isSafeInteger(sizeBytes) && sizeBytes >= DISK_BYTES_MIN && sizeBytes <= DISK_BYTES_MAX;
  if (!isWithin || sizeBytes % MIB !== 0) {
    throw invalidField('sizeBytes', `must be a whole number of MiB within ${DISK_BYTES_MIN} to ${DISK_BYTES_MAX}`);
  }
}

export const invalidField = (field: string, message: string): DomainError =>
  new DomainError('invalid_request', `${field} ${message}`, { details: { fields: [{ field, message }] } });
