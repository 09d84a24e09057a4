import { isAbsolute } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { CHAIN_LENGTH_MAX, ownChain, parentOf } from './layer-tree.js';
import {
  assertClosed,
  assertId,
  assertUsable,
  type DirectoryPool,
  invalidField,
  topOf,
  withVolume,
} from './open-volume.js';
import type { CloneWatch, CopyOut } from './storage-pool.js';
import { type VolumeRecord, volumeOf } from './volume-record.js';

/**
 * Port: StoragePool.copyOut. The lock is that of the volume alone. What lies under it is of other volumes, may be read by VMs and merged meanwhile,
 * and shows the same at each moment of that; but a file that was just merged goes, and then the copy is begun anew with those that are left.
 */
export async function copyOut(pool: DirectoryPool, request: CopyOut, watch: CloneWatch = {}): Promise<void> {
  assertCopyRequest(request);
  await withVolume(pool, request.volumeId, undefined, async ({ record, locks }) => {
    assertUsable(pool, record);
    await assertClosed(pool, record, locks);
    let chain = await chainByRecords(pool, record);
    for (;;) {
      try {
        return await pool.layers.copyOut(chain, request, locks, watch);
      } catch (thrown) {
        const left = await chainByRecords(pool, record);
        if (left.length >= chain.length) throw thrown;
        chain = left;
      }
    }
  });
}

/** All layers that the volume is read through, the topmost first, as the records say: no header is followed. */
async function chainByRecords(pool: DirectoryPool, record: VolumeRecord): Promise<string[]> {
  const chain: string[] = [];
  let [volume, at]: [VolumeRecord, string | null] = [record, topOf(record)];
  while (at !== null && chain.length < CHAIN_LENGTH_MAX * 2) {
    const own = ownChain(volume, at);
    chain.push(...own);
    at = parentOf(volume, own.at(-1) ?? at);
    if (at === null) return chain;
    volume = await pool.records.get(volumeOf(at));
    const below = at;
    if (!volume.layers.some(({ id }) => id === below)) {
      throw new DomainError('host_fault', `layer ${below}, on which volume ${record.id} rests, has no owner`);
    }
  }
  throw new DomainError('host_fault', `the layers of volume ${record.id} do not end`);
}

export function assertCopyRequest({ volumeId, path, bytesMax }: CopyOut): void {
  assertId('volumeId', volumeId);
  if (!isAbsolute(path)) throw invalidField('path', 'must be absolute');
  if (!Number.isSafeInteger(bytesMax) || bytesMax < 1)
    throw invalidField('bytesMax', 'must be a whole number from 1 on');
}
