import { DomainError } from '@kvorum/schema';
import { assertEpoch } from '../claim-volume.js';
import type { ClaimedVolume } from '../storage-pool.js';
import {
  assertUsable,
  assertWritten,
  finishPending,
  getVolume,
  type ImagePool,
  type OpenRecord,
  put,
  untilFirst,
} from './open-image-volume.js';

/**
 * Port: StoragePool.claimVolume. Whoever had the volume open before can write to it no more when this resolves: the storage itself
 * refuses what still comes of them, also from a host that is cut off and knows nothing of it.
 */
export async function claimVolume(pool: ImagePool, volumeId: string, epoch: number): Promise<ClaimedVolume> {
  assertEpoch(volumeId, epoch);
  return untilFirst(async () => {
    const open = await getVolume(pool, volumeId);
    const { holder } = open.record;
    if (holder !== null && (epoch < holder.epoch || (epoch === holder.epoch && holder.hostId !== pool.hostId))) {
      throw new DomainError(
        'conflict_state',
        `volume ${volumeId} is in use by host ${holder.hostId} since epoch ${holder.epoch}`,
      );
    }
    const isAgain = holder?.hostId === pool.hostId && holder.epoch === epoch;
    // Its own VM may have it open.
    if (isAgain && holder.isCutOff) return claimed(pool, await finishIfClosed(pool, open));
    const taken = isAgain ? open : await take(pool, open, epoch);
    return claimed(pool, await finishPending(pool, await cutOffOthers(pool, taken)));
  });
}

async function claimed(pool: ImagePool, { record }: OpenRecord): Promise<ClaimedVolume> {
  await pool.images.makeReady(record.top);
  return { source: pool.images.sourceOf(record.top), sizeBytes: record.sizeBytes };
}

/** What nobody has, and nobody has open, needs to be taken from nobody. */
async function take(pool: ImagePool, open: OpenRecord, epoch: number): Promise<OpenRecord> {
  const { record } = open;
  const isFree = record.holder === null && !(await pool.images.isOpen(record.top));
  const mine = { ...record, holder: { hostId: pool.hostId, epoch, isCutOff: isFree } };
  assertUsable(pool, mine);
  assertWritten(mine);
  return put(pool, open, mine);
}

/** On record first whose it is: the former host can take no new connection for its own then. */
async function cutOffOthers(pool: ImagePool, open: OpenRecord): Promise<OpenRecord> {
  const { record } = open;
  if (record.holder === null || record.holder.isCutOff) return open;
  await pool.images.cutOff(record.top);
  return put(pool, open, { ...record, holder: { ...record.holder, isCutOff: true } });
}

async function finishIfClosed(pool: ImagePool, open: OpenRecord): Promise<OpenRecord> {
  assertUsable(pool, open.record);
  assertWritten(open.record);
  try {
    return await finishPending(pool, open);
  } catch (thrown) {
    // What has begun is finished through the VM that has it open.
    if (thrown instanceof DomainError && thrown.code === 'conflict_state') return open;
    throw thrown;
  }
}

/** Port: StoragePool.releaseVolume. A process that has just died is still open to the storage: it is cut off, so that nothing waits for it. */
export async function releaseVolume(pool: ImagePool, volumeId: string, epoch: number): Promise<void> {
  assertEpoch(volumeId, epoch);
  await untilFirst(async () => {
    const read = await pool.records.read(volumeId);
    const holder = read?.record.holder;
    if (read === null || holder?.hostId !== pool.hostId || holder.epoch > epoch) return;
    if (await pool.images.isOpen(read.record.top)) await pool.images.cutOff(read.record.top);
    await put(pool, { read, record: read.record }, { ...read.record, holder: null });
  });
}
