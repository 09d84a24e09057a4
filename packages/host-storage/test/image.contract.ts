import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { ImportImage, StoragePool } from '../src/index.js';
import { ownerId, type PoolKit } from './pool-kit.js';
import { readMibs, writeMib } from './volume-bytes.js';

/** A qcow2 file of 2 MiB, filled with ones and twos. */
export function anImage(folder: string, ...options: string[]): ImportImage & { path: string } {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${randomUUID()}.image`);
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '2M']);
  const source = { kind: 'files' as const, path, basePaths: [] };
  writeMib(source, 0, 1);
  writeMib(source, 1, 2);
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  return { imageId: randomUUID(), ownerId, sha256, path };
}

/** Images of the site, from which volumes are made as linked clones. */
export function describeImages(kit: PoolKit): void {
  const open = kit.open.bind(kit);
  const newFolder = () => kit.newFolder();
  const cloneOf = (pool: StoragePool, imageId: string, volumeId: string, sizeMib: number) =>
    pool.cloneVolume({
      volumeId,
      ownerId,
      source: { volumeId: imageId, snapshotId: imageId },
      isLinked: true,
      sizeBytes: sizeMib * MIB,
    });
  const read = async (pool: StoragePool, volumeId: string): Promise<number[]> =>
    readMibs((await pool.claimVolume(volumeId, 1)).source);

  describe('an image on a pool', () => {
    it.each([['compat=1.1'], ['compat=0.10']])(
      'is taken in once, and cloned at any larger size (%s)',
      async (compat) => {
        const pool = await open();
        const image = anImage(newFolder(), '-o', compat);
        const first = await pool.importImage(image);
        expect(first).toMatchObject({ volumeId: image.imageId, sizeBytes: 2 * MIB, chainLength: 1, state: 'ready' });
        rmSync(image.path);
        expect(await pool.importImage({ ...image, path: null })).toEqual(first);
        const volumeId = randomUUID();
        for (let time = 0; time < 2; time += 1) {
          expect(await cloneOf(pool, image.imageId, volumeId, 3)).toMatchObject({ sizeBytes: 3 * MIB, chainLength: 2 });
        }
        expect(await read(pool, volumeId)).toEqual([1, 2, 0]);
        await expect(cloneOf(pool, image.imageId, volumeId, 4)).rejects.toMatchObject({ code: 'already_exists' });
        await expect(cloneOf(pool, image.imageId, randomUUID(), 1)).rejects.toMatchObject({
          code: 'invalid_request',
          details: { fields: [{ field: 'sizeBytes' }] },
        });
      },
    );

    it('is refused with another digest, another base or no file, and leaves nothing then', async () => {
      const pool = await open();
      const image = anImage(newFolder());
      const overlay = join(newFolder(), 'overlay.image');
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image.path, overlay]);
      const sha256 = createHash('sha256').update(readFileSync(overlay)).digest('hex');
      await expect(pool.importImage({ ...image, sha256: '0'.repeat(64) })).rejects.toMatchObject({
        code: 'host_fault',
      });
      await expect(pool.importImage({ ...image, sha256, path: overlay })).rejects.toMatchObject({
        code: 'image_invalid',
      });
      await expect(pool.importImage({ ...image, path: null })).rejects.toMatchObject({ code: 'conflict_state' });
      expect(await pool.pieces()).toEqual([]);
      await pool.importImage(image);
      await expect(pool.importImage({ ...image, sha256 })).rejects.toMatchObject({ code: 'already_exists' });
    });

    it('is never written: it cannot be used, grown, reverted or have snapshots made or removed', async () => {
      const pool = await open();
      const image = anImage(newFolder());
      await pool.importImage(image);
      const [volumeId, snapshotId] = [image.imageId, randomUUID()];
      const attempts = [
        () => pool.claimVolume(volumeId, 1),
        () => pool.growVolume({ volumeId, sizeBytes: 4 * MIB }),
        () => pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId }] }),
        () => pool.removeSnapshot(volumeId, volumeId),
        () => pool.revertVolume({ volumeId, snapshotId: volumeId, revertId: randomUUID() }),
      ];
      for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: 'conflict_state' });
      const clonedId = randomUUID();
      await cloneOf(pool, image.imageId, clonedId, 2);
      expect(await read(pool, clonedId)).toEqual([1, 2]);
    });

    it('comes back when it was deleted, for as long as clones rest on it from what is there', async () => {
      const pool = await open();
      const image = anImage(newFolder());
      await pool.importImage(image);
      const volumeId = randomUUID();
      await cloneOf(pool, image.imageId, volumeId, 2);
      await pool.removeVolume(image.imageId);
      await pool.importImage({ ...image, path: null });
      await pool.removeVolume(image.imageId);
      await pool.purgeVolume(image.imageId);
      expect((await pool.importImage({ ...image, path: null })).snapshots.map(({ id }) => id)).toEqual([image.imageId]);
      expect(await read(pool, volumeId)).toEqual([1, 2]);
      await pool.releaseVolume(volumeId, 1);
      for (const id of [image.imageId, volumeId]) {
        await pool.removeVolume(id);
        await pool.purgeVolume(id);
      }
      await pool.sweep({ trashKeepMs: 0, orphanAgeMs: 0 });
      expect(await pool.pieces()).toEqual([]);
      await expect(pool.importImage({ ...image, path: null })).rejects.toMatchObject({ code: 'conflict_state' });
      expect((await pool.importImage(image)).state).toBe('ready');
    });
  });
}
