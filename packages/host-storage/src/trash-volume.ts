import { DomainError } from '@kvorum/schema';
import { ownChain } from './layer-tree.js';
import { factsOf } from './observe-pool.js';
import {
  admit,
  assertClosed,
  assertId,
  assertNotElsewhere,
  type DirectoryPool,
  finishPending,
  put,
} from './open-volume.js';
import { foreignLayers, forgetDependents } from './shorten-volume.js';
import type { VolumeFacts } from './storage-pool.js';
import { assertNotOvertaken, compareFences, type Fence, NO_FENCE } from './volume-fence.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

/** Port: StoragePool.removeVolume. Of a volume that is not there the fence is kept: what was to make it may still come. */
export async function removeVolume(pool: DirectoryPool, volumeId: string, fence?: Fence): Promise<void> {
  assertId('volumeId', volumeId);
  await pool.locks.holding([volumeId], async ({ descriptors }) => {
    const found = await pool.records.find(volumeId);
    if (found === null) return bury(pool, volumeId, fence);
    assertNotElsewhere(pool, found);
    const record = await admit(pool, found, fence);
    if (record.state === 'trashed' || record.state === 'retired') return;
    const settled = record.state === 'ready' ? await finishPending(pool, record, descriptors) : record;
    if (settled.topId !== null) await assertClosed(pool, settled, descriptors);
    await put(pool, { ...settled, state: 'trashed', trashedAtMs: pool.now(), holder: null });
  });
}

/** Port: StoragePool.restoreVolume. */
export async function restoreVolume(pool: DirectoryPool, volumeId: string, fence?: Fence): Promise<VolumeFacts> {
  assertId('volumeId', volumeId);
  return pool.locks.holding([volumeId], async () => {
    const record = await admit(pool, await pool.records.get(volumeId), fence);
    if (record.state !== 'trashed') return factsOf(pool, record);
    if (record.topId === null && record.image === null) {
      throw new DomainError('conflict_state', `volume ${volumeId} was never whole: its copy was broken off. Purge it`);
    }
    return factsOf(pool, await put(pool, { ...record, state: 'ready', trashedAtMs: null }));
  });
}

/**
 * Port: StoragePool.purgeVolume. First on record that it is gone, then the files: a volume whose files are half gone can never be
 * restored. The fence stays as a tombstone, which is there before the record goes.
 */
export async function purgeVolume(pool: DirectoryPool, volumeId: string, fence?: Fence): Promise<void> {
  assertId('volumeId', volumeId);
  await pool.locks.holding([volumeId], async () => {
    const found = await pool.records.find(volumeId);
    if (found === null) return bury(pool, volumeId, fence);
    if (fence !== undefined) assertNotOvertaken(volumeId, found.fence, fence);
    if (found.state === 'ready' || found.state === 'copying') {
      throw new DomainError('conflict_state', `volume ${volumeId} is ${found.state}; delete it first`);
    }
    await purge(pool, await admit(pool, found, fence));
  });
}

async function bury(pool: DirectoryPool, volumeId: string, fence: Fence = NO_FENCE): Promise<void> {
  if (compareFences(fence, NO_FENCE) > 0) await pool.tombstones.put(volumeId, fence, pool.now());
}

export async function purge(pool: DirectoryPool, found: VolumeRecord): Promise<void> {
  const retired = await put(pool, {
    ...(await forgetDependents(pool, found)),
    state: 'retired',
    topId: null,
    snapshots: [],
    pending: null,
  });
  const needed = new Set([...foreignLayers(retired)].flatMap((id) => ownChain(retired, id)));
  // Above before below: what is still there is whole.
  const going = retired.layers.filter(({ id }) => !needed.has(id)).reverse();
  // What a copy that was broken off has left lies under the volume's own id.
  const firstId = layerIdOf(found.id, found.id);
  for (const { id } of [...going, ...(needed.has(firstId) ? [] : [{ id: firstId }])]) await pool.layers.remove(id);
  if (needed.size > 0) {
    await put(pool, { ...retired, layers: retired.layers.filter(({ id }) => needed.has(id)) });
    return;
  }
  await bury(pool, found.id, retired.fence);
  await pool.records.remove(found.id);
  await pool.locks.forget(found.id);
}
