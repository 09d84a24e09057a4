import { DomainError } from '@kvorum/schema';
import {
  assertChain,
  assertId,
  assertUsable,
  type DirectoryPool,
  finishPending,
  invalidField,
  put,
  topOf,
} from './open-volume.js';
import type { ClaimedVolume } from './storage-pool.js';

/**
 * Port: StoragePool.claimVolume. The epoch is a fencing token: whoever gives out a higher one has made sure that the holder of the
 * lower one is gone. QEMU's own image lock is the second net, where the file system carries it.
 */
export async function claimVolume(pool: DirectoryPool, volumeId: string, epoch: number): Promise<ClaimedVolume> {
  assertEpoch(volumeId, epoch);
  return pool.locks.holding([volumeId], async ({ descriptors }) => {
    const record = await pool.records.get(volumeId);
    const { holder } = record;
    if (holder !== null && (epoch < holder.epoch || (epoch === holder.epoch && holder.hostId !== pool.hostId))) {
      throw new DomainError(
        'conflict_state',
        `volume ${volumeId} is in use by host ${holder.hostId} since epoch ${holder.epoch}`,
      );
    }
    const claimed = { ...record, holder: { hostId: pool.hostId, epoch } };
    assertUsable(pool, claimed);
    const done = await finishPending(pool, await put(pool, claimed), descriptors);
    const topId = topOf(done);
    await assertChain(pool, done, topId);
    return { path: pool.layers.pathOf(topId), sizeBytes: done.sizeBytes };
  });
}

/** Port: StoragePool.releaseVolume. */
export async function releaseVolume(pool: DirectoryPool, volumeId: string, epoch: number): Promise<void> {
  assertEpoch(volumeId, epoch);
  await pool.locks.holding([volumeId], async () => {
    const record = await pool.records.find(volumeId);
    if (record?.holder?.hostId !== pool.hostId || record.holder.epoch > epoch) return;
    await put(pool, { ...record, holder: null });
  });
}

function assertEpoch(volumeId: string, epoch: number): void {
  assertId('volumeId', volumeId);
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw invalidField('epoch', 'must be a whole number from 1 on');
}
