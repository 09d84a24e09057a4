import { statfs } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import type { DirectoryPool } from './open-volume.js';
import type { PoolFacts, VolumeFacts } from './storage-pool.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

export async function observePool(pool: DirectoryPool): Promise<PoolFacts> {
  const room = await observeRoom(pool);
  const sums = { provisionedBytes: 0, allocatedBytes: 0, trashedBytes: 0, volumeCount: 0 };
  for (const id of await pool.records.ids()) {
    const record = await pool.records.find(id);
    if (record === null) continue;
    const allocatedBytes = await allocatedBytesOf(pool, record);
    sums.allocatedBytes += allocatedBytes;
    if (record.state === 'trashed') sums.trashedBytes += allocatedBytes;
    if (record.state === 'retired') continue;
    sums.provisionedBytes += record.sizeBytes;
    sums.volumeCount += 1;
  }
  return { ...room, ...sums };
}

type Room = Pick<PoolFacts, 'totalBytes' | 'freeBytes' | 'isAboveHighWater'>;

/** statfs(2). Free is what others than root get: QEMU's processes are such. */
export async function observeRoom(pool: DirectoryPool): Promise<Room> {
  const { bsize, blocks, bavail } = await statfs(pool.folder);
  const [totalBytes, freeBytes] = [blocks * bsize, bavail * bsize];
  return { totalBytes, freeBytes, isAboveHighWater: totalBytes - freeBytes >= totalBytes * pool.highWaterRatio };
}

/** Before anything that takes room is made: what is left above the mark is for what VMs write into volumes that are there. */
export async function assertRoom(pool: DirectoryPool, neededBytes = 0): Promise<void> {
  const { totalBytes, freeBytes } = await observeRoom(pool);
  const markBytes = Math.floor(totalBytes * pool.highWaterRatio);
  const usedBytes = totalBytes - freeBytes;
  if (usedBytes < markBytes && usedBytes + neededBytes <= totalBytes) return;
  throw new DomainError(
    'no_capacity',
    `the storage pool has ${freeBytes} of ${totalBytes} bytes free; from ${markBytes} used bytes on nothing new is made`,
    { details: { freeBytes, totalBytes, neededBytes, highWaterRatio: pool.highWaterRatio } },
  );
}

export async function factsOf(pool: DirectoryPool, record: VolumeRecord): Promise<VolumeFacts> {
  if (record.state === 'retired') throw new DomainError('not_found', `the pool has no volume ${record.id}`);
  const readId = record.topId ?? (record.image === null ? null : layerIdOf(record.id, record.id));
  return {
    volumeId: record.id,
    ownerId: record.ownerId,
    sizeBytes: record.sizeBytes,
    allocatedBytes: await allocatedBytesOf(pool, record),
    state: record.state,
    trashedAtMs: record.trashedAtMs,
    chainLength: readId === null ? 0 : await pool.layers.chainLength(readId),
    snapshots: record.snapshots.map(({ id, sizeBytes, createdAtMs }) => ({ id, sizeBytes, createdAtMs })),
    holder: record.holder,
  };
}

async function allocatedBytesOf(pool: DirectoryPool, record: VolumeRecord): Promise<number> {
  let bytes = 0;
  for (const { id } of record.layers) bytes += await pool.layers.allocatedBytes(id);
  return bytes;
}
