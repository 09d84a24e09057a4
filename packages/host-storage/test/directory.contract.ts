import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { Fence, StoragePool } from '../src/index.js';
import type { DirectoryKit } from './directory-kit.js';
import { anImage } from './image.contract.js';
import { describeMerges } from './merge.contract.js';
import { describePool } from './pool.contract.js';
import { newVolume, ownerId, read, sourceOf } from './pool-kit.js';

const KEEP_FOR_EVER = { trashKeepMs: Number.MAX_SAFE_INTEGER, orphanAgeMs: 0 };
const MONTH_MS = 30 * 24 * 3_600_000;
const fence = (generation: number): Fence => ({ generation, fencingToken: 1 });
const layerFiles = (path: string): string[] => readdirSync(join(path, 'layers'));

async function pathOf(pool: StoragePool, volumeId: string): Promise<string> {
  const source = await sourceOf(pool, volumeId);
  if (source.kind !== 'files') throw new TypeError('a folder of files gives files');
  return source.path;
}

const fencedVolume = async (pool: StoragePool, by: Fence): Promise<string> => {
  const volumeId = randomUUID();
  await pool.ensureVolume({ volumeId, ownerId, sizeBytes: MIB, fence: by });
  return volumeId;
};

/** A pool that is a folder of qcow2 files: what every driver does, and what is true of files. */
export function describeDirectory(kit: DirectoryKit): void {
  const open = kit.open.bind(kit);
  describePool(kit);

  describe(`${kit.title}, as a folder`, () => {
    describeMerges(open);

    it('lets users of VMs pass to the files of volumes, and to nothing else, whatever the umask of the agent', async () => {
      const before = process.umask(0o077);
      const { path } = await open().finally(() => process.umask(before));
      const modes = readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => [name, (statSync(join(path, name)).mode & 0o777).toString(8)]);
      expect(Object.fromEntries(modes)).toEqual({
        layers: '711',
        locks: '700',
        quarantine: '700',
        tombstones: '700',
        volumes: '700',
      });
    });

    it('puts what has no owner aside, and says so', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      writeFileSync(join(pool.path, 'layers', 'stray.qcow2'), 'what is this');
      expect(await pool.sweep({ ...KEEP_FOR_EVER, orphanAgeMs: 3_600_000 })).toMatchObject({ quarantined: [] });
      const quarantined = [{ name: 'stray.qcow2', bytes: 12 }];
      expect(await pool.sweep(KEEP_FOR_EVER)).toEqual({ purgedVolumeIds: [], quarantined, faults: [] });
      expect(readdirSync(join(pool.path, 'quarantine'))).toEqual(['stray.qcow2']);
      expect(await read(pool, volumeId)).toEqual([0, 0, 0, 0]);
    });

    it('lists what lies aside until it is removed, which no other file is', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      const stray = `${randomUUID()}.${randomUUID()}.qcow2`;
      for (const content of ['first', 'second']) {
        writeFileSync(join(pool.path, 'layers', stray), content);
        await pool.sweep(KEEP_FOR_EVER);
      }
      const listed = await pool.listSetAside();
      const contents = listed.map(({ name }) => readFileSync(join(pool.path, 'quarantine', name), 'utf8'));
      expect(contents.sort()).toEqual(['first', 'second']);
      expect(listed.every(({ name, bytes }) => name.startsWith(stray) && bytes >= 4096)).toBe(true);
      mkdirSync(join(pool.path, 'quarantine', 'folder'));
      writeFileSync(join(pool.path, 'quarantine', 'folder', 'file'), 'x');
      for (const { name } of await pool.listSetAside()) {
        for (let time = 0; time < 2; time += 1) await pool.removeSetAside(name);
      }
      expect(await pool.listSetAside()).toEqual([]);
      expect(readdirSync(join(pool.path, 'quarantine'))).toEqual([]);
      for (const name of ['', '.', '..', '../layers', `../layers/${volumeId}.${volumeId}.qcow2`, 'a\nb']) {
        await expect(pool.removeSetAside(name), name).rejects.toMatchObject({ code: 'invalid_request' });
      }
      expect(await read(pool, volumeId)).toEqual([0, 0, 0, 0]);
    });

    it('moves nothing while a record cannot be read: its layers would look like nobody’s', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      writeFileSync(join(pool.path, 'volumes', `${volumeId}.json`), '{');
      const report = await pool.sweep(KEEP_FOR_EVER);
      expect(report).toMatchObject({ quarantined: [], faults: [expect.stringContaining(volumeId)] });
      expect(layerFiles(pool.path)).toEqual([`${volumeId}.${volumeId}.qcow2`]);
    });

    it('does not follow what a taken-over VM wrote into the header of its volume', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      const secret = join(pool.path, 'secret.qcow2');
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', secret, '4M']);
      execFileSync('qemu-img', [
        'rebase',
        '-u',
        '-f',
        'qcow2',
        '-F',
        'qcow2',
        '-b',
        secret,
        await pathOf(pool, volumeId),
      ]);
      const refused = { code: 'host_fault', message: expect.stringContaining('not what the pool has on record') };
      await expect(pool.claimVolume(volumeId, 1)).rejects.toMatchObject(refused);
      const volumes = [{ volumeId, snapshotId: randomUUID() }];
      await expect(pool.snapshotVolumes({ volumes })).rejects.toMatchObject(refused);
    });

    it('is not made of a folder that is relative, is missing, has content, or lies behind a link', async () => {
      const folder = kit.newFolder();
      mkdirSync(join(folder, 'full', 'of things'), { recursive: true });
      mkdirSync(join(folder, 'empty'));
      symlinkSync(join(folder, 'empty'), join(folder, 'link'));
      for (const path of ['pool', `${folder}/empty/../empty`, `${folder}/no`, `${folder}/full`, `${folder}/link`]) {
        await expect(open({ path }), path).rejects.toMatchObject({ code: 'invalid_request' });
      }
      await expect(open({ path: join(folder, 'empty'), mayInitialise: false })).rejects.toMatchObject({
        code: 'host_fault',
        message: expect.stringContaining('is its file system mounted?'),
      });
      expect(existsSync(join(folder, 'empty', 'pool.json'))).toBe(false);
    });

    it('has its end remembered for 30 days', async () => {
      let nowMs = Date.now();
      const pool = await open({ now: () => nowMs });
      const volumeId = await fencedVolume(pool, fence(1));
      await pool.removeVolume(volumeId, fence(2));
      await pool.purgeVolume(volumeId, fence(2));
      const left = () => readdirSync(join(pool.path, 'tombstones'));
      nowMs += MONTH_MS;
      await pool.sweep({ trashKeepMs: 0, orphanAgeMs: 0 });
      expect(left()).toEqual([`${volumeId}.json`]);
      nowMs += 1;
      await pool.sweep({ trashKeepMs: 0, orphanAgeMs: 0 });
      expect(left()).toEqual([]);
    });

    it('can be read from a pool that was written before there were fences', async () => {
      const pool = await open();
      const volumeId = await fencedVolume(pool, fence(9));
      const path = join(pool.path, 'volumes', `${volumeId}.json`);
      const { fence: _fence, image: _image, ...old } = JSON.parse(readFileSync(path, 'utf8'));
      writeFileSync(path, JSON.stringify({ ...old, formatVersion: 1 }));
      expect((await pool.growVolume({ volumeId, sizeBytes: 2 * MIB, fence: fence(1) })).sizeBytes).toBe(2 * MIB);
      expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ formatVersion: 2, fence: fence(1) });
    });

    it('has what a copy that was broken off has left overwritten', async () => {
      const pool = await open();
      const image = anImage(kit.newFolder());
      const file = join(pool.path, 'layers', `${image.imageId}.${image.imageId}.qcow2`);
      writeFileSync(`${file}.partial`, 'half');
      writeFileSync(file, 'whole, but on no record yet');
      await pool.importImage(image);
      expect(createHash('sha256').update(readFileSync(file)).digest('hex')).toBe(image.sha256);
    });
  });
}
