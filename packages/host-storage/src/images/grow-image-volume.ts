import { DomainError } from '@kvorum/schema';
import { assertId, assertSize, invalidField } from '../open-volume.js';
import type { GrowVolume, VolumeFacts } from '../storage-pool.js';
import {
  assertClosed,
  assertRoom,
  assertUsable,
  assertWritten,
  factsOf,
  finishPending,
  getVolume,
  type ImagePool,
  put,
  settled,
  untilFirst,
} from './open-image-volume.js';

/** Port: StoragePool.growVolume. */
export async function growVolume(pool: ImagePool, request: GrowVolume): Promise<VolumeFacts> {
  const { volumeId, sizeBytes, fence, growLive } = request;
  assertId('volumeId', volumeId);
  assertSize(sizeBytes);
  return untilFirst(async () => {
    const admitted = await getVolume(pool, volumeId, fence);
    // Through the VM that has it open a growth goes on that cannot be finished without it.
    const isGoingOn = growLive !== undefined && admitted.record.pending?.kind === 'grow';
    const open = isGoingOn ? admitted : await finishPending(pool, admitted);
    const { record } = open;
    assertUsable(pool, record);
    assertWritten(record);
    const leastBytes = record.pending?.kind === 'grow' ? record.pending.sizeBytes : record.sizeBytes;
    if (sizeBytes < leastBytes) {
      throw invalidField('sizeBytes', `is below the volume's ${leastBytes}: a volume only grows`);
    }
    if (sizeBytes === record.sizeBytes && record.pending === null) return factsOf(pool, await settled(pool, open));
    await assertRoom(pool);
    if (growLive === undefined) await assertClosed(pool, record);
    const begun = await put(pool, open, { ...record, pending: { kind: 'grow', sizeBytes } });
    if (growLive === undefined) return factsOf(pool, await finishPending(pool, begun));
    await pool.images.growUnder(record.top, sizeBytes);
    await growLive();
    const grownBytes = await pool.images.sizeBytes(record.top);
    if (grownBytes !== sizeBytes) {
      throw new DomainError('host_fault', `the image of volume ${volumeId} has ${grownBytes} bytes, not ${sizeBytes}`);
    }
    return factsOf(pool, await put(pool, begun, { ...begun.record, pending: null, sizeBytes }));
  });
}
