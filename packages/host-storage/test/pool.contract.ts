import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import {
  type DirectoryPoolOptions,
  openDirectoryPool,
  type PoolDriverName,
  type StoragePool,
  type VolumeSource,
} from '../src/index.js';
import { SNAPSHOT_COUNT_MAX } from '../src/layer-tree.js';
import { describeFences } from './fence.contract.js';
import type { Scratch } from './file-systems.js';
import { describeImages } from './image.contract.js';
import { describeMerges } from './merge.contract.js';
import { readMibs, writeMib } from './volume-bytes.js';

const ownerId = randomUUID();
const KEEP_FOR_EVER = { trashKeepMs: Number.MAX_SAFE_INTEGER, orphanAgeMs: 0 };

/** What every driver does, on whatever file system. The capability matrix decides what is refused. */
export function describePool(driver: PoolDriverName, fileSystem: string, scratch: Scratch, hasReflink: boolean): void {
  const open = async (more: Partial<DirectoryPoolOptions> = {}): Promise<StoragePool & { path: string }> => {
    const options: DirectoryPoolOptions = {
      poolId: randomUUID(),
      hostId: randomUUID(),
      driver,
      path: scratch.newFolder(),
      mayInitialise: true,
      highWaterRatio: 1,
      ...more,
    };
    return { ...(await openDirectoryPool(options)), path: options.path };
  };
  const newVolume = async (pool: StoragePool, sizeMib = 4): Promise<string> => {
    const volumeId = randomUUID();
    await pool.ensureVolume({ volumeId, ownerId, sizeBytes: sizeMib * MIB });
    return volumeId;
  };
  const sourceOf = async (pool: StoragePool, volumeId: string): Promise<VolumeSource> => {
    const { source } = await pool.claimVolume(volumeId, 1);
    await pool.releaseVolume(volumeId, 1);
    return source;
  };
  const pathOf = async (pool: StoragePool, volumeId: string): Promise<string> => {
    const source = await sourceOf(pool, volumeId);
    if (source.kind !== 'files') throw new TypeError('a folder of files gives files');
    return source.path;
  };
  const write = async (pool: StoragePool, id: string, mib: number, byte: number) =>
    writeMib(await sourceOf(pool, id), mib, byte);
  const read = async (pool: StoragePool, id: string) => readMibs(await sourceOf(pool, id));
  const snapshot = async (pool: StoragePool, volumeId: string): Promise<string> => {
    const snapshotId = randomUUID();
    await pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId }] });
    return snapshotId;
  };
  const layerFiles = (path: string): string[] => readdirSync(join(path, 'layers'));

  describe(`a ${driver} pool on ${fileSystem}`, () => {
    describeFences(open);
    describeImages(open, () => scratch.newFolder());
    describeMerges(open);

    it('says what it can', async () => {
      const { capabilities } = await open();
      expect(capabilities).toEqual({
        isShared: driver === 'shared-dir',
        hasSnapshots: true,
        hasLinkedClones: true,
        isThin: true,
        growsOnline: true,
        hasReflink,
      });
    });

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
      expect(layerFiles(pool.path)).toHaveLength(2);
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

    it('keeps the chain as long as its snapshots need and no longer', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      const ids: string[] = [];
      for (let mib = 0; mib < 4; mib += 1) {
        await write(pool, volumeId, mib, mib + 1);
        ids.push(await snapshot(pool, volumeId));
      }
      expect((await pool.observeVolume(volumeId)).chainLength).toBe(5);
      for (const id of [ids[1]!, ids[2]!, ids[2]!]) await pool.removeSnapshot(volumeId, id);
      expect((await pool.observeVolume(volumeId)).chainLength).toBe(3);
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      await pool.revertVolume({ volumeId, snapshotId: ids[0]!, revertId: randomUUID() });
      expect(await read(pool, volumeId)).toEqual([1, 0, 0, 0]);
      await pool.revertVolume({ volumeId, snapshotId: ids[3]!, revertId: randomUUID() });
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      for (const id of ids) await pool.removeSnapshot(volumeId, id);
      expect(await read(pool, volumeId)).toEqual([1, 2, 3, 4]);
      expect(layerFiles(pool.path)).toHaveLength(1);
    });

    it('refuses a snapshot too many, before anything is done', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool, 1);
      for (let count = 0; count < SNAPSHOT_COUNT_MAX; count += 1) await snapshot(pool, volumeId);
      const before = layerFiles(pool.path);
      await expect(snapshot(pool, volumeId)).rejects.toMatchObject({ code: 'conflict_state' });
      expect(layerFiles(pool.path)).toEqual(before);
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
      expect(layerFiles(pool.path)).toHaveLength(isLinked ? 2 : 1);
      await pool.removeVolume(clone.volumeId);
      await pool.purgeVolume(clone.volumeId);
      await pool.sweep(KEEP_FOR_EVER);
      expect(layerFiles(pool.path)).toEqual([]);
      expect(readdirSync(join(pool.path, 'volumes'))).toEqual([]);
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
      expect(layerFiles(pool.path)).toEqual([]);
      for (let time = 0; time < 2; time += 1) await pool.purgeVolume(volumeId);
      await pool.removeVolume(volumeId);
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

    it('moves nothing while a record cannot be read: its layers would look like nobody’s', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      writeFileSync(join(pool.path, 'volumes', `${volumeId}.json`), '{');
      const report = await pool.sweep(KEEP_FOR_EVER);
      expect(report).toMatchObject({ quarantined: [], faults: [expect.stringContaining(volumeId)] });
      expect(layerFiles(pool.path)).toEqual([`${volumeId}.${volumeId}.qcow2`]);
    });

    it('leaves a volume alone that a VM has open', async () => {
      const pool = await open();
      const volumeId = await newVolume(pool);
      await snapshot(pool, volumeId);
      const snapshotId = await snapshot(pool, volumeId);
      const path = await pathOf(pool, volumeId);
      const daemon = await openForWriting(path);
      try {
        const volumes = [{ volumeId, snapshotId: randomUUID() }];
        const refused = { code: 'conflict_state' };
        await expect(pool.growVolume({ volumeId, sizeBytes: 8 * MIB })).rejects.toMatchObject(refused);
        await expect(pool.snapshotVolumes({ volumes })).rejects.toMatchObject(refused);
        await expect(pool.revertVolume({ volumeId, snapshotId, revertId: randomUUID() })).rejects.toMatchObject(
          refused,
        );
        await expect(pool.removeVolume(volumeId)).rejects.toMatchObject(refused);
        // The snapshot goes, its layer when the VM has stopped.
        expect(await pool.removeSnapshot(volumeId, snapshotId)).toMatchObject({ chainLength: 3 });
      } finally {
        await daemon.end();
      }
      expect(await pool.shortenVolume(volumeId)).toMatchObject({ chainLength: 2 });
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
      expect(layerFiles(pool.path)).toEqual([]);
    });

    it.each([0, -MIB, MIB + 1, Number.NaN, 2 ** 60])('refuses a size of %s bytes', async (sizeBytes) => {
      const pool = await open();
      await expect(pool.ensureVolume({ volumeId: randomUUID(), ownerId, sizeBytes })).rejects.toMatchObject({
        code: 'invalid_request',
        details: { fields: [{ field: 'sizeBytes' }] },
      });
    });

    it('is not made of a folder that is relative, is missing, has content, or lies behind a link', async () => {
      const folder = scratch.newFolder();
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

    it('is opened again as itself alone', async () => {
      const [poolId, hostId, path] = [randomUUID(), randomUUID(), scratch.newFolder()];
      const volumeId = await newVolume(await open({ poolId, hostId, path }));
      expect(await (await open({ poolId, hostId, path, mayInitialise: false })).observeVolume(volumeId)).toBeDefined();
      await expect(open({ path })).rejects.toMatchObject({ code: 'conflict_state' });
      const another = open({ poolId, path });
      if (driver === 'shared-dir') expect(await (await another).observeVolume(volumeId)).toBeDefined();
      else await expect(another).rejects.toMatchObject({ code: 'conflict_state' });
    });
  });
}

/** As a VM's QEMU has it: open for writing, with the image lock. */
async function openForWriting(path: string): Promise<{ end(): Promise<void> }> {
  const child = spawn('qemu-io', ['-f', 'qcow2', path], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('write -q 0 1M\nlength\n');
  // It answers once it has opened the file.
  await once(child.stdout, 'data');
  return {
    end: async () => {
      const gone = once(child, 'close');
      child.stdin.end();
      await gone;
    },
  };
}
