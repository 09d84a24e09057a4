import { randomUUID } from 'node:crypto';
import { MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { openDirectoryPool, type StoragePool } from '../src/index.js';
import { describeDirectory } from './directory.contract.js';
import { directoryKit } from './directory-kit.js';
import { openScratch } from './file-systems.js';
import { readMibs, writeMib } from './volume-bytes.js';

const scratch = openScratch();
afterAll(() => scratch.remove());

describeDirectory(directoryKit('shared-dir', 'the file system of this machine', scratch, false));

describe('a volume that two hosts reach', () => {
  const open = async (): Promise<[a: StoragePool, b: StoragePool, volumeId: string]> => {
    const [poolId, path, volumeId] = [randomUUID(), scratch.newFolder(), randomUUID()];
    const options = { poolId, path, driver: 'shared-dir' as const, mayInitialise: true, highWaterRatio: 1 };
    const a = await openDirectoryPool({ ...options, hostId: randomUUID() });
    const b = await openDirectoryPool({ ...options, hostId: randomUUID() });
    await a.ensureVolume({ volumeId, ownerId: randomUUID(), sizeBytes: 2 * MIB });
    return [a, b, volumeId];
  };

  it('is used by one of them at a time', async () => {
    const [a, b, volumeId] = await open();
    await a.claimVolume(volumeId, 1);
    const refused = { code: 'conflict_state', message: expect.stringContaining('in use by host') };
    await expect(b.claimVolume(volumeId, 1)).rejects.toMatchObject(refused);
    await expect(b.growVolume({ volumeId, sizeBytes: 3 * MIB })).rejects.toMatchObject(refused);
    await expect(b.removeVolume(volumeId)).rejects.toMatchObject(refused);
    const volumes = [{ volumeId, snapshotId: randomUUID() }];
    await expect(b.snapshotVolumes({ volumes })).rejects.toMatchObject(refused);
    // Not its own to give back.
    await b.releaseVolume(volumeId, 1);
    expect((await b.observeVolume(volumeId)).holder?.epoch).toBe(1);
    await a.releaseVolume(volumeId, 1);
    await b.claimVolume(volumeId, 1);
  });

  it('goes over to another host with a higher epoch, and its first host is out then', async () => {
    const [a, b, volumeId] = await open();
    writeMib((await a.claimVolume(volumeId, 1)).source, 0, 4);
    expect(readMibs((await b.claimVolume(volumeId, 2)).source)).toEqual([4, 0]);
    await expect(a.claimVolume(volumeId, 1)).rejects.toMatchObject({ code: 'conflict_state' });
    await expect(a.growVolume({ volumeId, sizeBytes: 3 * MIB })).rejects.toMatchObject({ code: 'conflict_state' });
    await b.growVolume({ volumeId, sizeBytes: 3 * MIB });
  });

  it('is changed by one verb at a time, from wherever it is asked', async () => {
    const [a, b, volumeId] = await open();
    const ids = Array.from({ length: 6 }, () => randomUUID());
    await Promise.all(
      ids.map((snapshotId, at) => (at % 2 === 0 ? a : b).snapshotVolumes({ volumes: [{ volumeId, snapshotId }] })),
    );
    const { snapshots, chainLength } = await a.observeVolume(volumeId);
    expect(snapshots.map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(chainLength).toBe(7);
  });
});
