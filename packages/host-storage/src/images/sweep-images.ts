import type { PoolFacts, SweepPool, SweepReport } from '../storage-pool.js';
import { assertDuration, wordsOf } from '../sweep-pool.js';
import { ImageName, type ImageRecord } from './image-record.js';
import { allocatedBytesOf, type ImagePool } from './open-image-volume.js';
import { purgeVolume } from './trash-image-volume.js';

/** As long as for tombstones of other pools: after it no late request can come. */
const GONE_KEEP_MS = 30 * 24 * 3_600_000;

/**
 * Port: StoragePool.sweep. An image of ours that no record names goes to Ceph's own trash, where a person can look at it (`rbd trash
 * ls`). Images of others, by their names, are none of ours. While one record cannot be read nothing is moved at all.
 */
export async function sweepPool(pool: ImagePool, { trashKeepMs, orphanAgeMs }: SweepPool): Promise<SweepReport> {
  assertDuration('trashKeepMs', trashKeepMs);
  assertDuration('orphanAgeMs', orphanAgeMs);
  const purgedVolumeIds: string[] = [];
  const faults: string[] = [];
  for (const [id, summary] of await pool.records.summaries()) {
    try {
      const record = (await pool.records.read(id))?.record ?? null;
      if (record === null) continue;
      if (record.state === 'gone' && pool.now() - (record.endedAtMs ?? 0) > GONE_KEEP_MS) await forget(pool, record);
      else if (isDue(record, pool.now() - trashKeepMs)) {
        await purgeVolume(pool, id);
        if (record.state === 'trashed') purgedVolumeIds.push(id);
      } else if (summary.state !== record.state || summary.sizeBytes !== record.sizeBytes) {
        await pool.records.summarise(record, record.state === 'trashed' ? await allocatedBytesOf(pool, record) : 0);
      }
    } catch (thrown) {
      faults.push(wordsOf(thrown));
    }
  }
  const { quarantined, faults: found } = await setOrphansAside(pool, orphanAgeMs);
  return { purgedVolumeIds, quarantined, faults: [...new Set([...faults, ...found])] };
}

/** Of an image of the site an import without a fence could come at the same moment: those stay, some bytes each. */
async function forget(pool: ImagePool, { id, siteImage }: ImageRecord): Promise<void> {
  if (siteImage === null) await pool.records.forget(id);
}

const isDue = (record: ImageRecord, beforeMs: number): boolean =>
  record.state === 'retired' || (record.state === 'trashed' && (record.endedAtMs ?? 0) <= beforeMs);

/** Images before records: one that is made meanwhile is not listed, or its record is read. */
async function setOrphansAside(
  pool: ImagePool,
  orphanAgeMs: number,
): Promise<{ quarantined: { name: string; bytes: number }[]; faults: string[] }> {
  const names = await pool.images.names();
  const named = new Set<string>();
  const missing: string[] = [];
  for (const id of (await pool.records.summaries()).keys()) {
    try {
      const record = (await pool.records.read(id))?.record;
      if (record === undefined || record.state === 'gone') continue;
      for (const image of imagesOf(record)) named.add(image);
      if (record.isWhole && record.state !== 'retired' && !names.includes(record.top)) missing.push(record.top);
    } catch (thrown) {
      return { quarantined: [], faults: [wordsOf(thrown)] };
    }
  }
  const quarantined: { name: string; bytes: number }[] = [];
  for (const name of names) {
    if (named.has(name) || !ImageName.safeParse(name).success) continue;
    const moved = await pool.images.setAside(name, orphanAgeMs);
    if (moved !== null) quarantined.push({ name, bytes: moved.bytes });
  }
  return { quarantined, faults: missing.map((image) => `image ${image} is gone`) };
}

const imagesOf = ({ top, snapshots, doomed, pending }: ImageRecord): string[] => [
  top,
  ...[...snapshots, ...doomed].map(({ image }) => image),
  ...(pending?.kind === 'revert' ? [pending.top] : []),
];

/** Port: StoragePool.observe. */
export async function observePool(pool: ImagePool): Promise<PoolFacts> {
  const room = await pool.images.observeRoom();
  const sums = { provisionedBytes: 0, trashedBytes: 0, volumeCount: 0 };
  for (const { state, sizeBytes, usedBytes } of (await pool.records.summaries()).values()) {
    if (state === 'trashed') sums.trashedBytes += usedBytes;
    if (state === 'retired' || state === 'gone') continue;
    sums.provisionedBytes += sizeBytes;
    sums.volumeCount += 1;
  }
  const { totalBytes, freeBytes } = room;
  return { ...room, ...sums, isAboveHighWater: totalBytes - freeBytes >= totalBytes * pool.highWaterRatio };
}
