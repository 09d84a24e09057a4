import { DomainError } from '@kvorum/schema';
import { assertId } from '../open-volume.js';
import type { VolumeFacts } from '../storage-pool.js';
import { compareFences, type Fence } from '../volume-fence.js';
import type { ImageRecord, ReadRecord } from './image-record.js';
import { newRecord } from './make-image-volume.js';
import {
  admitted,
  allocatedBytesOf,
  assertClosed,
  assertNotElsewhere,
  dropUnused,
  factsOf,
  finishPending,
  getVolume,
  type ImagePool,
  make,
  type OpenRecord,
  put,
  settled,
  untilFirst,
} from './open-image-volume.js';

/** No volume was ever of that size: of one that never came to be only the fence is on record. */
const NO_SIZE_BYTES = 1;

/** Port: StoragePool.removeVolume. Of a volume that is not there the fence is kept: what was to make it may still come. */
export async function removeVolume(pool: ImagePool, volumeId: string, fence?: Fence): Promise<void> {
  assertId('volumeId', volumeId);
  await untilFirst(async () => {
    const read = await pool.records.read(volumeId);
    if (read === null || read.record.state === 'gone') return bury(pool, volumeId, read, fence);
    const found = admitted(read, fence);
    assertNotElsewhere(pool, found.record);
    const { state } = found.record;
    if (state === 'trashed' || state === 'retired') {
      await settled(pool, found);
      return;
    }
    const open = state === 'ready' ? await finishPending(pool, found) : found;
    if (open.record.isWhole) await assertClosed(pool, open.record);
    const usedBytes = await allocatedBytesOf(pool, open.record);
    const trashed = { ...open.record, state: 'trashed' as const, endedAtMs: pool.now(), holder: null };
    await put(pool, open, trashed, usedBytes);
  });
}

/** Port: StoragePool.restoreVolume. */
export async function restoreVolume(pool: ImagePool, volumeId: string, fence?: Fence): Promise<VolumeFacts> {
  assertId('volumeId', volumeId);
  return untilFirst(async () => {
    const open = await getVolume(pool, volumeId, fence);
    if (open.record.state !== 'trashed') return factsOf(pool, await settled(pool, open));
    if (!open.record.isWhole) {
      throw new DomainError('conflict_state', `volume ${volumeId} was never whole: its copy was broken off. Purge it`);
    }
    return factsOf(pool, await put(pool, open, { ...open.record, state: 'ready', endedAtMs: null }));
  });
}

/** Port: StoragePool.purgeVolume. First on record that it is gone, then its images; what is left in the end is its fence. */
export async function purgeVolume(pool: ImagePool, volumeId: string, fence?: Fence): Promise<void> {
  assertId('volumeId', volumeId);
  await untilFirst(async () => {
    const read = await pool.records.read(volumeId);
    if (read === null || read.record.state === 'gone') return bury(pool, volumeId, read, fence);
    const open = admitted(read, fence);
    const { state } = open.record;
    if (state === 'ready' || state === 'copying') {
      throw new DomainError('conflict_state', `volume ${volumeId} is ${state}; delete it first`);
    }
    await purge(pool, open);
  });
}

async function purge(pool: ImagePool, open: OpenRecord): Promise<void> {
  const { record } = open;
  // An image of the site that clones rest on is kept as it is: it may be asked for again.
  if (record.siteImage !== null && (await hasClones(pool, record))) {
    await put(pool, open, { ...record, state: 'retired', endedAtMs: null });
    return;
  }
  const images = [record.top, ...record.snapshots.map(({ image }) => image)];
  if (record.pending?.kind === 'revert') images.push(record.pending.top);
  const bare: ImageRecord = { ...record, state: 'retired', endedAtMs: null, snapshots: [], pending: null };
  const listed = [...record.doomed, ...[...new Set(images)].map((image) => ({ image, snapshot: null }))];
  const isSame = (a: (typeof listed)[0], b: (typeof listed)[0]) => a.image === b.image && a.snapshot === b.snapshot;
  const doomed = listed.filter((one, index) => listed.findIndex((other) => isSame(one, other)) === index);
  const retired = await put(pool, open, { ...bare, doomed });
  const dropped = await dropUnused(pool, retired);
  if (dropped.record.doomed.length > 0) return;
  await put(pool, dropped, { ...dropped.record, state: 'gone', endedAtMs: pool.now() });
}

async function hasClones(pool: ImagePool, { snapshots }: ImageRecord): Promise<boolean> {
  for (const { image, id } of snapshots) if (await pool.images.hasClones({ image, snapshot: id })) return true;
  return false;
}

/** Keeps the higher of the fence and what is known. */
async function bury(
  pool: ImagePool,
  volumeId: string,
  read: ReadRecord | null,
  fence: Fence | undefined,
): Promise<void> {
  if (fence === undefined || (read !== null && compareFences(fence, read.record.fence) <= 0)) return;
  const before = read?.record ?? newRecord({ volumeId, ownerId: volumeId, sizeBytes: NO_SIZE_BYTES });
  await make(pool, { ...before, fence, state: 'gone', endedAtMs: pool.now() }, read);
}
