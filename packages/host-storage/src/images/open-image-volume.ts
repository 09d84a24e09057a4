import { DomainError } from '@kvorum/schema';
import type { PoolCapabilities, PoolDriverName } from '../pool-drivers.js';
import type { VolumeFacts } from '../storage-pool.js';
import { assertNotOvertaken, compareFences, type Fence } from '../volume-fence.js';
import type { ImageRecord, ImageRecords, ReadRecord } from './image-record.js';
import type { ImageStore } from './image-store.js';

/** What every verb of a pool of images works with. */
export interface ImagePool {
  readonly id: string;
  readonly hostId: string;
  readonly driver: PoolDriverName;
  readonly capabilities: PoolCapabilities;
  readonly records: ImageRecords;
  readonly images: ImageStore;
  /** Of what the pool holds: from here on nothing new is made. */
  readonly highWaterRatio: number;
  readonly now: () => number;
}

/** Another verb changed the record first: whoever was overtaken begins anew with what is there now. */
class Overtaken extends Error {}

/** Two that change one volume take turns; more often than this something else is wrong. */
const TURN_COUNT_MAX = 50;

/** Runs the verb until nobody comes between its reading and its writing. Each verb goes on where it was cut off. */
export async function untilFirst<T>(run: () => Promise<T>): Promise<T> {
  for (let turn = 0; turn < TURN_COUNT_MAX; turn += 1) {
    try {
      return await run();
    } catch (thrown) {
      if (!(thrown instanceof Overtaken)) throw thrown;
    }
  }
  throw new DomainError('unavailable', 'the volume is being changed by others all the time; try again');
}

/** A record that is worked on. */
export interface OpenRecord {
  readonly read: ReadRecord;
  /** What is to be written: as it was read, or with the fence of a newer request. */
  readonly record: ImageRecord;
}

/** Null: there is none, or nothing but its fence is left. Throws `stale_generation`. */
export async function findVolume(pool: ImagePool, volumeId: string, fence?: Fence): Promise<OpenRecord | null> {
  const read = await pool.records.read(volumeId);
  return read === null || read.record.state === 'gone' ? null : admitted(read, fence);
}

/** For verbs that make a volume: `over` is what is left of an earlier one. Throws `stale_generation` unless the request is newer. */
export async function findToMake(
  pool: ImagePool,
  volumeId: string,
  fence: Fence | undefined,
): Promise<{ readonly found: OpenRecord | null; readonly over: ReadRecord | null }> {
  const read = await pool.records.read(volumeId);
  if (read !== null && read.record.state !== 'gone') return { found: admitted(read, fence), over: read };
  if (read === null || fence === undefined || compareFences(fence, read.record.fence) > 0) {
    return { found: null, over: read };
  }
  throw new DomainError('stale_generation', `volume ${volumeId} has been removed since`);
}

/** Throws `not_found`. */
export async function getVolume(pool: ImagePool, volumeId: string, fence?: Fence): Promise<OpenRecord> {
  const found = await findVolume(pool, volumeId, fence);
  if (found === null || found.record.state === 'retired') {
    throw new DomainError('not_found', `the pool has no volume ${volumeId}`);
  }
  return found;
}

/** The fence goes on record with the first thing that does, which is before anything is done to an image. */
export function admitted(read: ReadRecord, fence: Fence | undefined): OpenRecord {
  const { record } = read;
  if (fence === undefined) return { read, record };
  assertNotOvertaken(record.id, record.fence, fence);
  return { read, record: compareFences(fence, record.fence) === 0 ? record : { ...record, fence } };
}

/** Throws, and the verb begins anew, if another was first. */
export async function put(
  pool: ImagePool,
  { read }: OpenRecord,
  record: ImageRecord,
  usedBytes = 0,
): Promise<OpenRecord> {
  const written = await pool.records.write(record, read.version);
  if (written === null) throw new Overtaken();
  if (!countsTheSame(read.record, record)) await pool.records.summarise(record, usedBytes);
  return { read: written, record };
}

/** One that is being copied is promised already. */
function countsTheSame(a: ImageRecord, b: ImageRecord): boolean {
  const kindOf = ({ state }: ImageRecord) => (state === 'copying' ? 'ready' : state);
  return kindOf(a) === kindOf(b) && a.sizeBytes === b.sizeBytes;
}

/** Writes what the verb has found no other occasion to: the fence. */
export const settled = (pool: ImagePool, open: OpenRecord): Promise<OpenRecord> =>
  open.record === open.read.record ? Promise.resolve(open) : put(pool, open, open.record);

export async function make(pool: ImagePool, record: ImageRecord, over: ReadRecord | null): Promise<OpenRecord> {
  const written = await pool.records.write(record, over?.version ?? null);
  if (written === null) throw new Overtaken();
  if (over !== null) await pool.records.summarise(record, 0);
  return { read: written, record };
}

/** What a verb that was cut off had begun. Each branch may itself be cut off and come again. */
export async function finishPending(pool: ImagePool, open: OpenRecord): Promise<OpenRecord> {
  const { record } = open;
  const { pending, id } = record;
  if (pending === null) return open;
  // A shared volume that another host uses is finished by that host.
  assertUsable(pool, record);
  await assertClosed(pool, record);
  if (pending.kind === 'grow') {
    await pool.images.grow(record.top, pending.sizeBytes);
    return put(pool, open, { ...record, pending: null, sizeBytes: pending.sizeBytes });
  }
  if (pending.kind === 'snapshot') {
    // One that is there already, of a verb that was cut off, is as good: nobody has written since, see snapshot-images.ts.
    await pool.images.snapshot({ image: record.top, snapshot: pending.snapshotId });
    return finishSnapshot(pool, open);
  }
  const snapshot = record.snapshots.find((one) => one.id === pending.snapshotId);
  if (snapshot === undefined)
    throw new DomainError('host_fault', `the snapshot that volume ${id} goes back to is gone`);
  const { sizeBytes } = snapshot;
  await pool.images.clone({ image: snapshot.image, snapshot: snapshot.id, sizeBytes }, pending.top, sizeBytes);
  const reverted = { ...record, pending: null, top: pending.top, depth: snapshot.depth + 1, sizeBytes };
  return dropUnused(pool, await put(pool, open, withDoomed(reverted, [record.top])));
}

export function finishSnapshot(pool: ImagePool, open: OpenRecord): Promise<OpenRecord> {
  const { record } = open;
  if (record.pending?.kind !== 'snapshot') throw new RangeError('no snapshot is pending');
  const { snapshotId: id, createdAtMs } = record.pending;
  const { top: image, sizeBytes, depth } = record;
  const snapshots = [...record.snapshots, { id, image, sizeBytes, createdAtMs, depth }];
  return put(pool, open, { ...record, pending: null, snapshots });
}

/** Of the images, those that are neither written nor kept by a snapshot. */
export function withDoomed(record: ImageRecord, images: readonly string[]): ImageRecord {
  const isNeeded = (image: string) => image === record.top || record.snapshots.some((one) => one.image === image);
  const isListed = (image: string) => record.doomed.some((one) => one.image === image && one.snapshot === null);
  const doomed = [...new Set(images)].filter((image) => !isNeeded(image) && !isListed(image));
  return { ...record, doomed: [...record.doomed, ...doomed.map((image) => ({ image, snapshot: null }))] };
}

/** Removes what is on record as not needed. What cannot go yet, as clones rest on it, stays on record. */
export async function dropUnused(pool: ImagePool, open: OpenRecord): Promise<OpenRecord> {
  const { doomed } = open.record;
  if (doomed.length === 0) return open;
  const left: ImageRecord['doomed'] = [];
  // Snapshots before the images that they are of.
  for (const one of [
    ...doomed.filter((each) => each.snapshot !== null),
    ...doomed.filter((each) => each.snapshot === null),
  ]) {
    if (one.snapshot !== null) await pool.images.removeSnapshot({ image: one.image, snapshot: one.snapshot });
    else if (!(await pool.images.remove(one.image))) left.push(one);
  }
  return left.length === doomed.length ? open : put(pool, open, { ...open.record, doomed: left });
}

/** Throws `conflict_state` for an image of the site, and for a volume that is not whole yet. */
export function assertWritten(record: ImageRecord): void {
  if (record.siteImage !== null) throw new DomainError('conflict_state', `volume ${record.id} is an image: clone it`);
  if (record.state === 'copying') {
    throw new DomainError('conflict_state', `volume ${record.id} has no content yet: it is being copied`);
  }
}

/** Throws `conflict_state` unless the volume is whole, out of the trash, and not another host's. */
export function assertUsable(pool: ImagePool, record: ImageRecord): void {
  if (record.state !== 'ready') {
    throw new DomainError('conflict_state', `volume ${record.id} is ${record.state}; restore it or wait for it first`);
  }
  assertNotElsewhere(pool, record);
}

export function assertNotElsewhere(pool: ImagePool, { id, holder }: ImageRecord): void {
  if (holder !== null && holder.hostId !== pool.hostId) {
    throw new DomainError('conflict_state', `volume ${id} is in use by host ${holder.hostId}`);
  }
}

/** Throws `conflict_state` while a VM has the volume open, whoever claims it. */
export async function assertClosed(pool: ImagePool, { top }: ImageRecord): Promise<void> {
  if (!(await pool.images.isOpen(top))) return;
  throw new DomainError('conflict_state', 'the volume is open in another process: stop the VM that uses it');
}

/** Before anything that takes room is made: what is left above the mark is for what VMs write into volumes that are there. */
export async function assertRoom(pool: ImagePool, neededBytes = 0): Promise<void> {
  const { totalBytes, freeBytes } = await pool.images.observeRoom();
  const markBytes = Math.floor(totalBytes * pool.highWaterRatio);
  const usedBytes = totalBytes - freeBytes;
  if (usedBytes < markBytes && usedBytes + neededBytes <= totalBytes) return;
  throw new DomainError(
    'no_capacity',
    `the storage pool has ${freeBytes} of ${totalBytes} bytes free; from ${markBytes} used bytes on nothing new is made`,
    { details: { freeBytes, totalBytes, neededBytes, highWaterRatio: pool.highWaterRatio } },
  );
}

export async function factsOf(pool: ImagePool, { record }: OpenRecord): Promise<VolumeFacts> {
  const { state, holder } = record;
  if (state === 'retired' || state === 'gone') {
    throw new DomainError('not_found', `the pool has no volume ${record.id}`);
  }
  return {
    volumeId: record.id,
    ownerId: record.ownerId,
    sizeBytes: record.sizeBytes,
    allocatedBytes: await allocatedBytesOf(pool, record),
    state,
    trashedAtMs: record.endedAtMs,
    chainLength: state === 'copying' ? 0 : record.depth,
    snapshots: record.snapshots.map(({ id, sizeBytes, createdAtMs }) => ({ id, sizeBytes, createdAtMs })),
    holder: holder === null ? null : { hostId: holder.hostId, epoch: holder.epoch },
  };
}

/** Of all its images, also those that wait to be removed. */
export async function allocatedBytesOf(pool: ImagePool, { top, snapshots, doomed }: ImageRecord): Promise<number> {
  let bytes = 0;
  for (const image of new Set([top, ...[...snapshots, ...doomed].map((one) => one.image)])) {
    bytes += await pool.images.allocatedBytes(image);
  }
  return bytes;
}
