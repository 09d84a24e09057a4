import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError, MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { LiveMerge, StoragePool } from '../src/index.js';
import type { DirectoryKit } from './directory-kit.js';
import { readMibs, writeMib } from './volume-bytes.js';

type Pool = StoragePool & { path: string };
type OpenPool = DirectoryKit['open'];

const QCOW2 = ['-q', '-f', 'qcow2'];
const nothing = async () => undefined;
const isGone = async () => {
  throw new DomainError('guest_fault', "the VM's process has ended");
};
const layerFiles = ({ path }: Pool): string[] => readdirSync(join(path, 'layers'));

/** What a VM's process does: content first, then the header above (QEMU's bdrv_drop_intermediate). */
function copyDown({ childPath, basePath }: LiveMerge): void {
  execFileSync('chmod', ['600', basePath]);
  execFileSync('qemu-img', ['commit', ...QCOW2, '-d', childPath]);
}
function turnHeader({ abovePath, baseName }: LiveMerge): void {
  execFileSync('chmod', ['600', abovePath]);
  execFileSync('qemu-img', ['rebase', ...QCOW2, '-u', '-F', 'qcow2', '-b', baseName, abovePath]);
}

/** A claimed volume of 4 MiB with as many snapshots, of which the first is removed again; each layer has a MiB of its own. */
async function claimedVolume(pool: Pool): Promise<{ volumeId: string; snapshotIds: readonly string[] }> {
  const volumeId = randomUUID();
  await pool.ensureVolume({ volumeId, ownerId: randomUUID(), sizeBytes: 4 * MIB });
  const snapshotIds = [randomUUID(), randomUUID(), randomUUID()];
  for (const [mib, snapshotId] of snapshotIds.entries()) {
    writeMib((await pool.claimVolume(volumeId, 1)).source, mib, mib + 1);
    await pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId }] });
  }
  writeMib((await pool.claimVolume(volumeId, 1)).source, 3, 4);
  return { volumeId, snapshotIds };
}
const CONTENT = [1, 2, 3, 4];

/** Its snapshot is removed while a VM has it open. Returns the file that is written. */
async function removeOpen(pool: Pool, volumeId: string, snapshotId: string): Promise<string> {
  const { source } = await pool.claimVolume(volumeId, 1);
  if (source.kind !== 'files') throw new TypeError('these pools have files');
  await holdingOpen(source.path, async () => void (await pool.removeSnapshot(volumeId, snapshotId)));
  return source.path;
}

async function holdingOpen(path: string, task: () => Promise<void>): Promise<void> {
  const child = spawn('qemu-io', ['-f', 'qcow2', path], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('length\n');
  await new Promise((opened) => child.stdout.once('data', opened));
  const gone = new Promise((closed) => child.once('close', closed));
  try {
    await task();
  } finally {
    child.stdin.end();
    await gone;
  }
}

/** Layers of a volume that a VM has open are made one by its process; the pool says which, and what has come of it. */
export function describeMerges(open: OpenPool): void {
  describe('layers of a volume that a VM has open', () => {
    const mergingVolume = async () => {
      const pool = await open();
      const { volumeId, snapshotIds } = await claimedVolume(pool);
      const topPath = await removeOpen(pool, volumeId, snapshotIds[0] ?? '');
      const merge = await pool.beginMerge(volumeId);
      if (merge === null) throw new TypeError('there is something to merge');
      const seen = async () => readMibs((await pool.claimVolume(volumeId, 1)).source);
      const chainLength = async () => (await pool.observeVolume(volumeId)).chainLength;
      return { pool, volumeId, snapshotIds, topPath, merge, seen, chainLength };
    };

    it('are left alone when nobody holds it, when its snapshots need them, and when one of them is written', async () => {
      const pool = await open();
      const { volumeId, snapshotIds } = await claimedVolume(pool);
      expect(await pool.beginMerge(volumeId)).toBeNull();
      await removeOpen(pool, volumeId, snapshotIds[2] ?? '');
      expect(await pool.beginMerge(volumeId)).toBeNull();
      await removeOpen(pool, volumeId, snapshotIds[0] ?? '');
      const merge = await pool.beginMerge(volumeId);
      expect(await pool.beginMerge(volumeId)).toEqual(merge);
      await pool.endMerge(volumeId, nothing);
      await pool.releaseVolume(volumeId, 1);
      expect(await pool.beginMerge(volumeId)).toBeNull();
    });

    it('are one when the process has merged them, and nobody can write to what a snapshot keeps', async () => {
      const { pool, volumeId, snapshotIds, merge, seen, chainLength } = await mergingVolume();
      copyDown(merge);
      turnHeader(merge);
      for (let time = 0; time < 2; time += 1) await pool.endMerge(volumeId, nothing);
      expect(await chainLength()).toBe(3);
      expect(await seen()).toEqual(CONTENT);
      expect(layerFiles(pool)).toHaveLength(3);
      for (const path of [merge.basePath, merge.abovePath]) expect(statSync(path).mode & 0o777).toBe(0o444);
      await pool.revertVolume({ volumeId, snapshotId: snapshotIds[1] ?? '', revertId: randomUUID() });
      expect(await seen()).toEqual([1, 2, 0, 0]);
    });

    it('are as they were when it was broken off, however far it was, and can be merged again', async () => {
      const { pool, volumeId, merge, seen, chainLength } = await mergingVolume();
      await pool.endMerge(volumeId, nothing);
      expect([await chainLength(), await seen()]).toEqual([4, CONTENT]);
      expect(await pool.beginMerge(volumeId)).toEqual(merge);
      copyDown(merge);
      await pool.endMerge(volumeId, nothing);
      expect([await chainLength(), await seen()]).toEqual([4, CONTENT]);
      expect(spawnSync('qemu-img', ['check', ...QCOW2, merge.basePath]).status).toBe(0);
    });

    it.each<[string, (merge: LiveMerge) => void]>([
      ['before it began', () => undefined],
      ['with the content down, and the header not turned', copyDown],
      ['with the header turned, and none of the content on the disk', turnHeader],
    ])('show the same when the process was killed %s', async (_when, does) => {
      const { pool, volumeId, merge, seen, chainLength } = await mergingVolume();
      does(merge);
      await expect(pool.endMerge(volumeId, isGone)).rejects.toMatchObject({ code: 'guest_fault' });
      await pool.releaseVolume(volumeId, 1);
      await pool.endMerge(volumeId, nothing);
      await pool.shortenVolume(volumeId);
      expect([await chainLength(), await seen()]).toEqual([3, CONTENT]);
      expect(layerFiles(pool)).toHaveLength(3);
    });

    it('are not touched by other verbs meanwhile', async () => {
      const { pool, volumeId, snapshotIds, topPath, merge } = await mergingVolume();
      await holdingOpen(topPath, async () => {
        const refused = { code: 'conflict_state' };
        const clone = { volumeId: randomUUID(), ownerId: randomUUID(), isLinked: true };
        const from = { volumeId, snapshotId: snapshotIds[1] ?? '' };
        await expect(pool.cloneVolume({ ...clone, source: from })).rejects.toMatchObject(refused);
        await expect(pool.growVolume({ volumeId, sizeBytes: 8 * MIB })).rejects.toMatchObject(refused);
        await expect(pool.removeSnapshot(volumeId, snapshotIds[1] ?? '')).rejects.toMatchObject(refused);
        expect(await pool.beginMerge(volumeId)).toEqual(merge);
      });
    });
  });
}
