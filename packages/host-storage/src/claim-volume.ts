import { DomainError } from '@kvorum/schema';
import { CHAIN_LENGTH_MAX, ownChain, parentOf } from './layer-tree.js';
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
import { type VolumeRecord, volumeOf } from './volume-record.js';

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
    // Throws for an image, which nobody writes.
    topOf(claimed);
    const isAgain = holder?.hostId === pool.hostId && holder.epoch === epoch;
    const done = await finishPending(pool, isAgain ? record : await put(pool, claimed), descriptors).catch((thrown) => {
      // Its own VM has it open, and what has begun is finished through that VM.
      if (isAgain && thrown instanceof DomainError && thrown.code === 'conflict_state') return record;
      throw thrown;
    });
    const topId = topOf(done);
    const [path = '', ...basePaths] = (await wholeChain(pool, done, topId)).map((id) => pool.layers.pathOf(id));
    return { source: { kind: 'files', path, basePaths }, sizeBytes: done.sizeBytes };
  });
}

/** From the layer down to the one that rests on nothing, through the volumes that this one was cloned from. */
async function wholeChain(pool: DirectoryPool, record: VolumeRecord, layerId: string): Promise<string[]> {
  const chain: string[] = [];
  let [volume, at]: [VolumeRecord, string | null] = [record, layerId];
  while (at !== null && chain.length < CHAIN_LENGTH_MAX * 2) {
    await assertChain(pool, volume, at);
    chain.push(...ownChain(volume, at));
    at = parentOf(volume, chain.at(-1) ?? at);
    if (at === null) return chain;
    const owner: VolumeRecord | null = await pool.records.find(volumeOf(at));
    if (owner === null)
      throw new DomainError('host_fault', `layer ${at}, on which volume ${record.id} rests, has no owner`);
    volume = owner;
  }
  throw new DomainError('host_fault', `the layers of volume ${record.id} do not end`);
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

export function assertEpoch(volumeId: string, epoch: number): void {
  assertId('volumeId', volumeId);
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw invalidField('epoch', 'must be a whole number from 1 on');
}
