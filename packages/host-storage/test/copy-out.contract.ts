import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { CopyOut } from '../src/index.js';
import { newVolume, openForWriting, ownerId, type PoolKit, read, snapshot, sourceOf, write } from './pool-kit.js';
import { readMibs } from './volume-bytes.js';

const BYTES_MAX = 64 * MIB;

/** What is seen through a volume, as a file that stands for itself. */
export function describeCopyOut(kit: PoolKit): void {
  const open = kit.open.bind(kit);
  const newFile = (): string => {
    const folder = kit.newFolder();
    mkdirSync(folder, { recursive: true });
    return join(folder, 'out.qcow2');
  };
  const contentOf = (path: string) => readMibs({ kind: 'files', path, basePaths: [] });

  /** A linked clone of a snapshot of a volume that has been written to since, and lies on a snapshot before that. */
  async function aClone() {
    const pool = await open();
    const sourceId = await newVolume(pool, 4);
    await write(pool, sourceId, 0, 1);
    const earlierId = await snapshot(pool, sourceId);
    await write(pool, sourceId, 1, 2);
    const snapshotId = await snapshot(pool, sourceId);
    const volumeId = randomUUID();
    await pool.cloneVolume({ volumeId, ownerId, source: { volumeId: sourceId, snapshotId }, isLinked: true });
    await write(pool, sourceId, 2, 3);
    await pool.removeSnapshot(sourceId, snapshotId);
    return { pool, sourceId, earlierId, volumeId };
  }

  describe('the content of a volume', () => {
    it('is copied to a file that rests on nothing, as often as asked, whatever its source is used for', async () => {
      const { pool, sourceId, earlierId, volumeId } = await aClone();
      const path = newFile();
      const heard: number[] = [];
      const daemon = await openForWriting(await sourceOf(pool, sourceId));
      try {
        for (let time = 0; time < 2; time += 1) {
          await pool.copyOut({ volumeId, path, bytesMax: BYTES_MAX }, { onProgress: (part) => heard.push(part) });
          expect(contentOf(path)).toEqual([1, 2, 0, 0]);
        }
      } finally {
        await daemon.end();
      }
      expect(heard.at(-1)).toBe(1);
      const info = JSON.parse(execFileSync('qemu-img', ['info', '--output', 'json', path], { encoding: 'utf8' }));
      expect(info).toMatchObject({ format: 'qcow2', 'virtual-size': 4 * MIB });
      expect(info).not.toHaveProperty('backing-filename');
      // What lies under it was merged, and it is gone itself: nothing is left of it on the pool.
      await pool.removeSnapshot(sourceId, earlierId);
      await pool.copyOut({ volumeId, path, bytesMax: BYTES_MAX });
      expect(contentOf(path)).toEqual([1, 2, 0, 0]);
      await pool.removeVolume(volumeId);
      await pool.purgeVolume(volumeId);
      await pool.shortenVolume(sourceId);
      expect(await pool.pieces()).toHaveLength(1);
      expect(await read(pool, sourceId)).toEqual([0xcd, 2, 3, 0]);
    });

    it('is not copied while somebody may write to it', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      const path = newFile();
      const daemon = await openForWriting(await sourceOf(pool, volumeId));
      try {
        const refused = { code: 'conflict_state' };
        await expect(pool.copyOut({ volumeId, path, bytesMax: BYTES_MAX })).rejects.toMatchObject(refused);
      } finally {
        await daemon.end();
      }
      expect(existsSync(path)).toBe(false);
    });

    it('leaves no file when it is broken off, is too large, is gone, or is asked for wrongly', async () => {
      const { pool, volumeId } = await aClone();
      const path = newFile();
      const request = { volumeId, path, bytesMax: BYTES_MAX };
      const signal = AbortSignal.abort();
      await expect(pool.copyOut(request, { signal })).rejects.toMatchObject({ code: 'cancelled' });
      await expect(pool.copyOut({ ...request, bytesMax: MIB })).rejects.toMatchObject({ code: 'no_capacity' });
      const gone = { ...request, volumeId: randomUUID() };
      await expect(pool.copyOut(gone)).rejects.toMatchObject({ code: 'not_found' });
      const wrong: [Partial<CopyOut>, string][] = [
        [{ volumeId: '../x' }, 'volumeId'],
        [{ path: 'out.qcow2' }, 'path'],
        [{ bytesMax: 0 }, 'bytesMax'],
      ];
      for (const [changes, field] of wrong) {
        await expect(pool.copyOut({ ...request, ...changes })).rejects.toMatchObject({
          code: 'invalid_request',
          details: { fields: [{ field }] },
        });
      }
      expect(readdirSync(join(path, '..'))).toEqual([]);
    });
  });
}
