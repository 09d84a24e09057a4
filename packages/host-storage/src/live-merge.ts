import { aboveOf, childrenOf, findMergeableUnderTop, mergeLayer, parentOf } from './layer-tree.js';
import { observeRoom } from './observe-pool.js';
import { assertChain, assertId, type DirectoryPool, put } from './open-volume.js';
import { dropUnused, foreignLayers, forgetDependents } from './shorten-volume.js';
import type { LiveMerge } from './storage-pool.js';
import type { VolumeRecord } from './volume-record.js';

interface Merging {
  readonly childId: string;
  readonly baseId: string;
  readonly aboveId: string;
}

/**
 * Port: StoragePool.beginMerge. On record first, as a merge of files that nobody has open: whoever finds it when the VM's process is gone
 * finishes it in that way, however far the process came, as the child keeps all it has until the record has forgotten it.
 */
export async function beginMerge(pool: DirectoryPool, volumeId: string): Promise<LiveMerge | null> {
  assertId('volumeId', volumeId);
  return pool.locks.holding([volumeId], async () => {
    const found = await pool.records.get(volumeId);
    const isOurs = found.holder?.hostId === pool.hostId && found.state === 'ready' && found.topId !== null;
    if (!isOurs) return null;
    if (found.pending !== null) {
      const begun = mergingOf(found);
      return begun === null ? null : planOf(pool, found, begun);
    }
    const record = await dropUnused(pool, await forgetDependents(pool, found));
    const childId = findMergeableUnderTop(record, foreignLayers(record));
    // The guest's own writes go before: what is merged takes its room twice until the child is gone.
    if (childId === null || !(await hasRoomFor(pool, childId))) return null;
    await assertChain(pool, record, record.topId ?? childId);
    const begun = await put(pool, { ...record, pending: { kind: 'merge', childId } });
    const merging = mergingOf(begun);
    return merging === null ? null : planOf(pool, begun, merging);
  });
}

/**
 * Port: StoragePool.endMerge. The header of the layer above decides, which is turned by one write. That alone would not do where the
 * process was killed: it may have turned the header and kept the last of the content to itself. `stopLive` throws then.
 */
export async function endMerge(pool: DirectoryPool, volumeId: string, stopLive: () => Promise<void>): Promise<void> {
  assertId('volumeId', volumeId);
  await pool.locks.holding([volumeId], async ({ descriptors }) => {
    const record = await pool.records.find(volumeId);
    const merging = record === null ? null : mergingOf(record);
    if (record === null || merging === null || record.holder?.hostId !== pool.hostId) return;
    await stopLive();
    const { childId, baseId, aboveId } = merging;
    const { backingName } = await pool.layers.assertRestsOn(aboveId, [childId, baseId]);
    const isMerged = backingName === pool.layers.nameOf(baseId);
    if (isMerged) await turnBranches(pool, record, merging, descriptors);
    // On the disk before the record says so, and before the child goes.
    for (const id of [baseId, aboveId]) await pool.layers.sync(id);
    for (const id of [baseId, aboveId]) if (id !== record.topId) await pool.layers.freeze(id);
    if (!isMerged) return void (await put(pool, { ...record, pending: null }));
    await put(pool, { ...mergeLayer(record, childId), pending: null });
    // Cut off here, the file is one that no volume names: a sweep finds it.
    await pool.layers.remove(childId);
  });
}

/** Layers beside the chain, which no VM has open. */
async function turnBranches(
  pool: DirectoryPool,
  record: VolumeRecord,
  { childId, baseId, aboveId }: Merging,
  locks: readonly number[],
): Promise<void> {
  for (const id of childrenOf(record, childId).filter((one) => one !== aboveId)) {
    await pool.layers.assertRestsOn(id, [childId, baseId]);
    await pool.layers.reparent(id, baseId, locks);
  }
}

/** Null: no merge is pending, or one of layers that no VM has open. */
function mergingOf(record: VolumeRecord): Merging | null {
  if (record.pending?.kind !== 'merge') return null;
  const { childId } = record.pending;
  const [baseId, aboveId] = [parentOf(record, childId), aboveOf(record, childId)];
  return baseId === null || aboveId === null ? null : { childId, baseId, aboveId };
}

function planOf(pool: DirectoryPool, { id }: VolumeRecord, { childId, baseId, aboveId }: Merging): LiveMerge {
  const { layers } = pool;
  return {
    volumeId: id,
    childPath: layers.pathOf(childId),
    basePath: layers.pathOf(baseId),
    abovePath: layers.pathOf(aboveId),
    baseName: layers.nameOf(baseId),
  };
}

async function hasRoomFor(pool: DirectoryPool, layerId: string): Promise<boolean> {
  return (await pool.layers.allocatedBytes(layerId)) < (await observeRoom(pool)).freeBytes;
}
