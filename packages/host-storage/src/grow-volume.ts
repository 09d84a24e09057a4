import { parentOf } from './layer-tree.js';
import { assertRoom, factsOf } from './observe-pool.js';
import {
  admit,
  assertId,
  assertSize,
  assertUsable,
  type DirectoryPool,
  finishPending,
  invalidField,
  put,
  topOf,
} from './open-volume.js';
import type { GrowVolume, VolumeFacts } from './storage-pool.js';
import type { VolumeRecord } from './volume-record.js';

/** Port: StoragePool.growVolume. On record first: a file that is larger than its record would be cut by the next snapshot. */
export async function growVolume(pool: DirectoryPool, request: GrowVolume): Promise<VolumeFacts> {
  const { volumeId, sizeBytes, fence, growLive } = request;
  assertId('volumeId', volumeId);
  assertSize(sizeBytes);
  return pool.locks.holding([volumeId], async ({ descriptors }) => {
    const admitted = await admit(pool, await pool.records.get(volumeId), fence);
    // Through the VM that has it open a growth goes on that cannot be finished without it.
    const isGoingOn = growLive !== undefined && admitted.pending?.kind === 'grow';
    const record = isGoingOn ? admitted : await finishPending(pool, admitted, descriptors);
    assertUsable(pool, record);
    const leastBytes = record.pending?.kind === 'grow' ? record.pending.sizeBytes : record.sizeBytes;
    if (sizeBytes < leastBytes) {
      throw invalidField('sizeBytes', `is below the volume's ${leastBytes}: a volume only grows`);
    }
    if (sizeBytes === record.sizeBytes && record.pending === null) return factsOf(pool, record);
    await assertRoom(pool);
    if (growLive === undefined) await pool.layers.assertNotOpen(topOf(record), descriptors);
    topOf(record);
    const begun = await put(pool, { ...record, pending: { kind: 'grow', sizeBytes } });
    if (growLive === undefined) return factsOf(pool, await finishPending(pool, begun, descriptors));
    await growLive();
    return factsOf(
      pool,
      await put(pool, { ...begun, pending: null, sizeBytes: await grownBytes(pool, begun, sizeBytes) }),
    );
  });
}

/** What the file says: nothing is taken on trust from whoever grew it. */
async function grownBytes(pool: DirectoryPool, record: VolumeRecord, wantedBytes: number): Promise<number> {
  const topId = topOf(record);
  const { sizeBytes } = await pool.layers.assertRestsOn(topId, [parentOf(record, topId)]);
  if (sizeBytes === wantedBytes) return sizeBytes;
  throw invalidField('sizeBytes', `is not what the volume's file has now: ${sizeBytes}`);
}
