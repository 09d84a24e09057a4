import { randomUUID } from 'node:crypto';
import { MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { SNAPSHOT_COUNT_MAX } from '../src/layer-tree.js';
import { describeCopyOut } from './copy-out.contract.js';
import { describeFences } from './fence.contract.js';
import { describeImages } from './image.contract.js';
import { newVolume, openForWriting, ownerId, type PoolKit, read, snapshot, sourceOf, write } from './pool-kit.js';

const KEEP_FOR_EVER = { trashKeepMs: Number.MAX_SAFE_INTEGER, orphanAgeMs: 0 };

/** What every driver does, on whatever storage. The capability matrix decides what is refused. */
export function describePool(kit: PoolKit): void {
  const open = kit.open.bind(kit);

  describe(kit.title, () => {
    describeFences(kit);
    describeImages(kit);
    describeCopyOut(kit);

    it('says what it can', async () => {
      expect((await open()).capabilities).toEqual(kit.capabilities);
    });

    it('makes a volume of exactly the size, once', async () => {
      const pool = await open();
      const request = { volumeId: randomUUID(), ownerId, sizeBytes: 5 * MIB };
      const first = await pool.ensureVolume(request);
      expect(first).toMatchObject({ ...request, state: 'ready', chainLength: 1, snapshots: [], holder: null });
      await write(pool, request.volumeId, 4, 9);
      await pool.ensureVolume(request);
      expect(await read(pool, request.volumeId)).toEqual([0, 0, 0, 0, 9]);
      await expect(pool.ensureVolume({ ...request, sizeBytes: 6 * MIB })).rejects.toMatchObject({
        code: 'already_exists',
      });
      expect(await pool.observe()).toMatchObject({ volumeCount: 1, provisionedBytes: 5 * MIB, trashedBytes: 0 });
    });

    it('grows a volume and never shrinks one', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, 2);
      await write(pool, volumeId, 1, 7);
      for (let time = 0; time < 2; time += 1) await pool.growVolume({ volumeId, sizeBytes: 4 * MIB });
      expect(await read(pool, volumeId)).toEqual([0, 7, 0, 0]);
      await expect(pool.growVolume({ volumeId, sizeBytes: 3 * MIB })).rejects.toMatchObject({
        code: 'invalid_request',
        details: { fields: [{ field: 'sizeBytes' }] },
      });
    });

    it('gives back what a volume was when its snapshot was made, with its size', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, 3);
      await write(pool, volumeId, 0, 1);
      const snapshotId = await snapshot(pool, volumeId);
      await write(pool, volumeId, 0, 2);
      await write(pool, volumeId, 2, 2);
      await pool.growVolume({ volumeId, sizeBytes: 4 * MIB });
      const request = { volumeId, snapshotId, revertId: randomUUID() };
      for (let time = 0; time < 2; time += 1) await pool.revertVolume(request);
      expect(await read(pool, volumeId)).toEqual([1, 0, 0]);
      // What was written since is gone, its file too.
      expect(await pool.pieces()).toHaveLength(2);
    });

    it('makes snapshots of several volumes, or of none when one is in the way', async () => {
      const pool = await open();
      const [a, b] = [await newVolume(pool), await newVolume(pool)];
      const volumes = [a, b].map((volumeId) => ({ volumeId, snapshotId: randomUUID() }));
      for (let time = 0; time < 2; time += 1) await pool.snapshotVolumes({ volumes });
      for (const { volumeId, snapshotId } of volumes) {
        expect((await pool.observeVolume(volumeId)).snapshots.map(({ id }) => id)).toEqual([snapshotId]);
      }
      const again = [a, b].map((volumeId) => ({ volumeId, snapshotId: randomUUID() }));
      await pool.removeVolume(b);
      await expect(pool.snapshotVolumes({ volumes: again })).rejects.toMatchObject({ code: 'conflict_state' });
      expect((await pool.observeVolume(a)).snapshots).toHaveLength(1);
    });

    it('keeps volumes apart whose snapshots were given one id', async () => {
      const pool = await open();
      const [a, b, snapshotId] = [await newVolume(pool, 1), await newVolume(pool, 1), randomUUID()];
      await pool.snapshotVolumes({ volumes: [{ volumeId: a, snapshotId }] });
      await write(pool, a, 0, 1);
      await pool.snapshotVolumes({ volumes: [{ volumeId: b, snapshotId }] });
      expect(await read(pool, a)).toEqual([1]);
      expect(await read(pool, b)).toEqual([0]);
    });

    it('refuses a snapshot too many, before anything is done', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, 1);
      for (let count = 0; count < SNAPSHOT_COUNT_MAX; count += 1) await snapshot(pool, volumeId);
      const before = await pool.pieces();
      await expect(snapshot(pool, volumeId)).rejects.toMatchObject({ code: 'conflict_state' });
      expect(await pool.pieces()).toEqual(before);
    });

    it.each([
      ['linked', true],
      ['full', false],
    ])('makes a %s clone that goes its own way', async (_kind, isLinked) => {
      const pool = await open();
      const source = await newVolume(pool, 3);
      await write(pool, source, 0, 1);
      const snapshotId = await snapshot(pool, source);
      await write(pool, source, 0, 2);
      const clone = { volumeId: randomUUID(), ownerId, source: { volumeId: source, snapshotId }, isLinked };
      for (let time = 0; time < 2; time += 1) {
        expect(await pool.cloneVolume(clone)).toMatchObject({ sizeBytes: 3 * MIB, chainLength: isLinked ? 2 : 1 });
      }
      await write(pool, clone.volumeId, 1, 3);
      expect(await read(pool, clone.volumeId)).toEqual([1, 3, 0]);
      expect(await read(pool, source)).toEqual([2, 0, 0]);
      await pool.removeSnapshot(source, snapshotId);
      await pool.removeVolume(source);
      await pool.purgeVolume(source);
      await expect(pool.observeVolume(source)).rejects.toMatchObject({ code: 'not_found' });
      expect(await read(pool, clone.volumeId)).toEqual([1, 3, 0]);
      expect(await pool.pieces()).toHaveLength(isLinked && kit.clonesRestOnSource ? 2 : 1);
      await pool.removeVolume(clone.volumeId);
      await pool.purgeVolume(clone.volumeId);
      await pool.sweep(KEEP_FOR_EVER);
      expect(await pool.pieces()).toEqual([]);
      expect(await pool.recorded()).toEqual([]);
    });

    it('tells how far a full clone is, and ends it when asked', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, 64);
      await write(pool, volumeId, 63, 1);
      await snapshot(pool, volumeId);
      // Of a chain, so that a file system that shares blocks has to copy as well.
      const source = { volumeId, snapshotId: await snapshot(pool, volumeId) };
      const heard: number[] = [];
      const request = { volumeId: randomUUID(), ownerId, source, isLinked: false };
      const signal = AbortSignal.abort();
      await expect(pool.cloneVolume(request, { signal })).rejects.toMatchObject({ code: 'cancelled' });
      await expect(pool.claimVolume(request.volumeId, 1)).rejects.toMatchObject({ code: 'conflict_state' });
      await pool.cloneVolume(request, { onProgress: (fraction) => heard.push(fraction) });
      expect(heard.at(-1)).toBe(1);
      expect(heard).toEqual([...heard].sort((a, b) => a - b));
      expect((await read(pool, request.volumeId))[63]).toBe(1);
    });

    it('keeps a deleted volume in the trash until its time is over', async () => {
      let nowMs = 1_000;
      const pool = await open({ now: () => nowMs });
      const volumeId = await newVolume(pool, 2);
      await write(pool, volumeId, 1, 5);
      for (let time = 0; time < 2; time += 1) await pool.removeVolume(volumeId);
      expect(await pool.observeVolume(volumeId)).toMatchObject({ state: 'trashed', trashedAtMs: 1_000 });
      await expect(pool.claimVolume(volumeId, 1)).rejects.toMatchObject({ code: 'conflict_state' });
      for (let time = 0; time < 2; time += 1) await pool.restoreVolume(volumeId);
      expect(await read(pool, volumeId)).toEqual([0, 5]);
      await expect(pool.purgeVolume(volumeId)).rejects.toMatchObject({ code: 'conflict_state' });
      await pool.removeVolume(volumeId);
      nowMs = 1_999;
      expect((await pool.sweep({ trashKeepMs: 1_000, orphanAgeMs: 0 })).purgedVolumeIds).toEqual([]);
      nowMs = 2_000;
      expect((await pool.sweep({ trashKeepMs: 1_000, orphanAgeMs: 0 })).purgedVolumeIds).toEqual([volumeId]);
      expect(await pool.pieces()).toEqual([]);
      for (let time = 0; time < 2; time += 1) await pool.purgeVolume(volumeId);
      await pool.removeVolume(volumeId);
    });

    it('leaves a volume alone that a VM has open', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      await snapshot(pool, volumeId);
      const snapshotId = await snapshot(pool, volumeId);
      const daemon = await openForWriting(await sourceOf(pool, volumeId));
      try {
        const volumes = [{ volumeId, snapshotId: randomUUID() }];
        const refused = { code: 'conflict_state' };
        await expect(pool.growVolume({ volumeId, sizeBytes: 8 * MIB })).rejects.toMatchObject(refused);
        await expect(pool.snapshotVolumes({ volumes })).rejects.toMatchObject(refused);
        await expect(pool.revertVolume({ volumeId, snapshotId, revertId: randomUUID() })).rejects.toMatchObject(
          refused,
        );
        await expect(pool.removeVolume(volumeId)).rejects.toMatchObject(refused);
        // The snapshot goes; a layer of it when the VM has stopped.
        expect(await pool.removeSnapshot(volumeId, snapshotId)).toMatchObject({ chainLength: kit.chainAfter(2) });
      } finally {
        await daemon.end();
      }
      expect(await pool.shortenVolume(volumeId)).toMatchObject({ chainLength: kit.chainAfter(1) });
    });

    it.each([
      ['../../etc/passwd', 'volumeId'],
      ['', 'volumeId'],
      ['a/b', 'volumeId'],
      ['A0000000-0000-4000-8000-000000000000', 'volumeId'],
      [`${randomUUID()}\0`, 'volumeId'],
    ])('takes no id like %j for a name of a file', async (volumeId, field) => {
      const pool = await open();
      const refused = { code: 'invalid_request', details: { fields: [{ field }] } };
      await expect(pool.ensureVolume({ volumeId, ownerId, sizeBytes: MIB })).rejects.toMatchObject(refused);
      await expect(pool.purgeVolume(volumeId)).rejects.toMatchObject(refused);
      await expect(pool.claimVolume(volumeId, 1)).rejects.toMatchObject(refused);
      expect(await pool.pieces()).toEqual([]);
    });

    it.each([0, -MIB, MIB + 1, Number.NaN, 2 ** 60])('refuses a size of %s bytes', async (sizeBytes) => {
      const pool = await open();
      await expect(pool.ensureVolume({ volumeId: randomUUID(), ownerId, sizeBytes })).rejects.toMatchObject({
        code: 'invalid_request',
        details: { fields: [{ field: 'sizeBytes' }] },
      });
    });

    it('is opened again as itself alone', async () => {
      const [poolId, hostId] = [randomUUID(), randomUUID()];
      const pool = await open({ poolId, hostId });
      const volumeId = await newVolume(pool);
      const again = await open({ poolId, hostId, beside: pool, mayInitialise: false });
      expect(await again.observeVolume(volumeId)).toBeDefined();
      await expect(open({ poolId: randomUUID(), beside: pool })).rejects.toMatchObject({ code: 'conflict_state' });
      const another = open({ poolId, beside: pool });
      if (kit.capabilities.isShared) expect(await (await another).observeVolume(volumeId)).toBeDefined();
      else await expect(another).rejects.toMatchObject({ code: 'conflict_state' });
    });

    it('keeps the chain as long as its snapshots need and no longer', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      const ids: string[] = [];
      for (let mib = 0; mib < 4; mib += 1) {
        await write(pool, volumeId, mib, mib + 1);
        ids.push(await snapshot(pool, volumeId));
      }
      expect((await pool.observeVolume(volumeId)).chainLength).toBe(kit.chainAfter(4));
      for (const id of [ids[1]!, ids[2]!, ids[2]!]) await pool.removeSnapshot(volumeId, id);
      expect((await pool.observeVolume(volumeId)).chainLength).toBe(kit.chainAfter(2));
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      await pool.revertVolume({ volumeId, snapshotId: ids[0]!, revertId: randomUUID() });
      expect(await read(pool, volumeId)).toEqual([1, 0, 0, 0]);
      await pool.revertVolume({ volumeId, snapshotId: ids[3]!, revertId: randomUUID() });
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      for (const id of ids) await pool.removeSnapshot(volumeId, id);
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      await pool.shortenVolume(volumeId);
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      expect(await pool.pieces()).toHaveLength(1);
    });
  });
}
