import { DomainError } from '@kvorum/schema';
import { findMergeable, findUnused } from './layer-tree.js';
import { factsOf } from './observe-pool.js';
import {
  assertClosed,
  assertUsable,
  type DirectoryPool,
  finishPending,
  type OpenVolume,
  put,
  withVolume,
} from './open-volume.js';
import type { VolumeFacts } from './storage-pool.js';
import type { VolumeRecord } from './volume-record.js';

/** Port: StoragePool.shortenVolume. */
export async function shortenVolume(pool: DirectoryPool, volumeId: string): Promise<VolumeFacts> {
  return withVolume(pool, volumeId, undefined, async (open) => {
    assertUsable(pool, open.record);
    return factsOf(pool, await dropLayers(pool, open));
  });
}

/** Removes layers that nothing needs and merges those that need not be apart. Those that a VM has open wait until it stopped. */
export async function dropLayers(pool: DirectoryPool, { record, locks }: OpenVolume): Promise<VolumeRecord> {
  const current = await dropUnused(pool, await forgetDependents(pool, record));
  const foreign = foreignLayers(current);
  if (findMergeable(current, foreign) === null || (await isInUse(pool, current, locks))) return current;
  let at = current;
  for (let childId = findMergeable(at, foreign); childId !== null; childId = findMergeable(at, foreign)) {
    at = await put(pool, { ...at, pending: { kind: 'merge', childId } });
    at = await finishPending(pool, at, locks);
  }
  return at;
}

/** The file first: a layer on record whose file is gone is removed again, a file that is not on record is nobody's. */
export async function dropUnused(pool: DirectoryPool, record: VolumeRecord): Promise<VolumeRecord> {
  const foreign = foreignLayers(record);
  let at = record;
  for (let id = findUnused(at, foreign); id !== null; id = findUnused(at, foreign)) {
    const unusedId = id;
    await pool.layers.remove(unusedId);
    at = await put(pool, { ...at, layers: at.layers.filter((layer) => layer.id !== unusedId) });
  }
  return at;
}

export const foreignLayers = (record: VolumeRecord): Set<string> =>
  new Set(record.dependents.map(({ layerId }) => layerId));

/**
 * Takes off the list whoever no longer rests on this volume. Safe without the other's lock: whoever begins to rest on a layer holds
 * the lock of its volume, which is ours.
 */
export async function forgetDependents(pool: DirectoryPool, record: VolumeRecord): Promise<VolumeRecord> {
  const left: VolumeRecord['dependents'] = [];
  for (const dependent of record.dependents) {
    const other = await pool.records.find(dependent.volumeId);
    if (other !== null && restsOn(other, dependent.layerId)) left.push(dependent);
  }
  return left.length === record.dependents.length ? record : put(pool, { ...record, dependents: left });
}

const restsOn = (record: VolumeRecord, layerId: string): boolean =>
  record.layers.some(({ parentId }) => parentId === layerId) ||
  (record.state === 'copying' && record.origin?.layerId === layerId);

async function isInUse(pool: DirectoryPool, record: VolumeRecord, locks: readonly number[]): Promise<boolean> {
  try {
    await assertClosed(pool, record, locks);
    return false;
  } catch (thrown) {
    if (thrown instanceof DomainError && thrown.code === 'conflict_state') return true;
    throw thrown;
  }
}
