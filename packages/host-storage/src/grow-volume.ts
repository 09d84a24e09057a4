import { parentOf } from './layer-tree.js';
import { assertRoom, factsOf } from './observe-pool.js';
import {
  assertSize,
  assertUsable,
  type DirectoryPool,
  finishPending,
  invalidField,
  put,
  topOf,
  withVolume,
} from './open-volume.js';
import type { GrowVolume, VolumeFacts } from './storage-pool.js';

/** Port: StoragePool.growVolume. */
export async function growVolume(pool: DirectoryPool, request: GrowVolume): Promise<VolumeFacts> {
  const { volumeId, sizeBytes, fence, isOpen = false } = request;
  assertSize(sizeBytes);
  return withVolume(pool, volumeId, fence, async ({ record, locks }) => {
    assertUsable(pool, record);
    if (sizeBytes < record.sizeBytes) {
      throw invalidField('sizeBytes', `is below the volume's ${record.sizeBytes}: a volume only grows`);
    }
    if (sizeBytes === record.sizeBytes) return factsOf(pool, record);
    if (isOpen) {
      const topId = topOf(record);
      const header = await pool.layers.assertRestsOn(topId, [parentOf(record, topId)]);
      if (header.sizeBytes !== sizeBytes)
        throw invalidField('sizeBytes', `is not what its file has: ${header.sizeBytes}`);
      return factsOf(pool, await put(pool, { ...record, sizeBytes }));
    }
    await assertRoom(pool);
    await pool.layers.assertNotOpen(topOf(record), locks);
    const begun = await put(pool, { ...record, pending: { kind: 'grow', sizeBytes } });
    return factsOf(pool, await finishPending(pool, begun, locks));
  });
}
