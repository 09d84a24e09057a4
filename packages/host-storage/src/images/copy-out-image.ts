import { assertCopyRequest } from '../copy-out.js';
import type { CloneWatch, CopyOut } from '../storage-pool.js';
import {
  assertClosed,
  assertUsable,
  assertWritten,
  finishPending,
  getVolume,
  type ImagePool,
  untilFirst,
} from './open-image-volume.js';

/** Port: StoragePool.copyOut. */
export async function copyOut(pool: ImagePool, request: CopyOut, watch: CloneWatch = {}): Promise<void> {
  assertCopyRequest(request);
  const image = await untilFirst(async () => {
    const { record } = await finishPending(pool, await getVolume(pool, request.volumeId));
    assertUsable(pool, record);
    assertWritten(record);
    await assertClosed(pool, record);
    return record.top;
  });
  await pool.images.copyOut(image, request, watch);
}
