import { randomUUID } from 'node:crypto';
import { MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { Fence, StoragePool } from '../src/index.js';
import { ownerId, type PoolKit } from './pool-kit.js';

const OVERTAKEN = { code: 'stale_generation' };
const fence = (generation: number, fencingToken = 1): Fence => ({ generation, fencingToken });

/** Requests may come late, twice, and from a worker that another has replaced: the newest that was seen counts. */
export function describeFences(kit: PoolKit): void {
  const open = kit.open.bind(kit);
  const newVolume = async (pool: StoragePool, by: Fence): Promise<string> => {
    const volumeId = randomUUID();
    await pool.ensureVolume({ volumeId, ownerId, sizeBytes: MIB, fence: by });
    return volumeId;
  };
  const ensure = (pool: StoragePool, volumeId: string, by: Fence) =>
    pool.ensureVolume({ volumeId, ownerId, sizeBytes: MIB, fence: by });

  describe('a volume that was asked for with a fence', () => {
    it.each<[string, (pool: StoragePool, volumeId: string, by: Fence) => Promise<unknown>]>([
      ['ensure', ensure],
      ['grow', (pool, volumeId, by) => pool.growVolume({ volumeId, sizeBytes: 2 * MIB, fence: by })],
      [
        'snapshot',
        (pool, volumeId, by) => pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId: randomUUID(), fence: by }] }),
      ],
      ['remove snapshot', (pool, volumeId, by) => pool.removeSnapshot(volumeId, randomUUID(), by)],
      ['remove', (pool, volumeId, by) => pool.removeVolume(volumeId, by)],
      ['restore', (pool, volumeId, by) => pool.restoreVolume(volumeId, by)],
    ])('refuses an older %s and changes nothing; the same fence and a higher one are taken', async (_verb, ask) => {
      const pool = await open();
      const volumeId = await newVolume(pool, fence(2, 2));
      const before = await pool.observeVolume(volumeId);
      await expect(ask(pool, volumeId, fence(2, 1))).rejects.toMatchObject(OVERTAKEN);
      await expect(ask(pool, volumeId, fence(1, 9))).rejects.toMatchObject(OVERTAKEN);
      expect(await pool.observeVolume(volumeId)).toEqual(before);
      await ask(pool, volumeId, fence(2, 2));
      if (_verb === 'remove') await pool.restoreVolume(volumeId, fence(2, 2));
      await pool.removeSnapshot(volumeId, randomUUID(), fence(3));
      await expect(ask(pool, volumeId, fence(2, 2))).rejects.toMatchObject(OVERTAKEN);
    });

    it('takes a snapshot of several volumes of none when one was overtaken', async () => {
      const pool = await open();
      const [a, b] = [await newVolume(pool, fence(1)), await newVolume(pool, fence(5))];
      const volumes = [a, b].map((volumeId) => ({ volumeId, snapshotId: randomUUID(), fence: fence(4) }));
      await expect(pool.snapshotVolumes({ volumes })).rejects.toMatchObject(OVERTAKEN);
      // Not even the fence of the other was raised.
      expect(
        (await pool.snapshotVolumes({ volumes: [{ ...volumes[0]!, fence: fence(1) }] }))[0]?.snapshots,
      ).toHaveLength(1);
    });

    it('is not made by a request from before its end, also if that is all the pool ever heard of it', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, fence(1));
      await pool.removeVolume(volumeId, fence(2));
      await pool.purgeVolume(volumeId, fence(2));
      for (const late of [fence(1), fence(2)]) {
        await expect(ensure(pool, volumeId, late)).rejects.toMatchObject(OVERTAKEN);
      }
      const undone = randomUUID();
      await pool.removeVolume(undone, fence(1, 2));
      await expect(ensure(pool, undone, fence(1, 1))).rejects.toMatchObject(OVERTAKEN);
      expect((await ensure(pool, volumeId, fence(3))).state).toBe('ready');
      expect((await ensure(pool, undone, fence(2))).state).toBe('ready');
    });

    it.runIf(kit.capabilities.isShared)('is fenced from whichever host asks', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, fence(4));
      const other = await open({ beside: pool });
      await expect(other.growVolume({ volumeId, sizeBytes: 2 * MIB, fence: fence(3) })).rejects.toMatchObject(
        OVERTAKEN,
      );
    });
  });
}
