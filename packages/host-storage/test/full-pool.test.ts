import { randomUUID } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { openDirectoryPool } from '../src/index.js';
import { openTmpfs } from './file-systems.js';
import { readMibs, writeMib } from './volume-bytes.js';

const small = openTmpfs(24);
afterAll(() => small?.remove());

describe.skipIf(small === null)('a pool that fills up', () => {
  const open = async (highWaterRatio: number) => {
    const path = small!.newFolder();
    const options = { poolId: randomUUID(), hostId: randomUUID(), driver: 'dir' as const, mayInitialise: true };
    return { path, pool: await openDirectoryPool({ ...options, path, highWaterRatio }) };
  };
  const ownerId = randomUUID();

  it('makes nothing new above its high-water mark, and does again below it', async () => {
    const { path, pool } = await open(0.5);
    const volumeId = randomUUID();
    await pool.ensureVolume({ volumeId, ownerId, sizeBytes: 64 * MIB });
    writeFileSync(join(path, 'ballast'), Buffer.alloc(14 * MIB));
    expect(await pool.observe()).toMatchObject({ isAboveHighWater: true, totalBytes: 24 * MIB });
    const refused = { code: 'no_capacity', details: { highWaterRatio: 0.5 } };
    const snapshot = { volumes: [{ volumeId, snapshotId: randomUUID() }] };
    await expect(pool.ensureVolume({ volumeId: randomUUID(), ownerId, sizeBytes: MIB })).rejects.toMatchObject(refused);
    await expect(pool.growVolume({ volumeId, sizeBytes: 65 * MIB })).rejects.toMatchObject(refused);
    await expect(pool.snapshotVolumes(snapshot)).rejects.toMatchObject(refused);
    await rm(join(path, 'ballast'));
    await pool.snapshotVolumes(snapshot);
    await pool.growVolume({ volumeId, sizeBytes: 65 * MIB });
    await pool.removeVolume(volumeId);
    await pool.purgeVolume(volumeId);
  });

  it('breaks a copy off that finds no room, leaves nothing of it, and makes it when there is', async () => {
    const { path, pool } = await open(1);
    const source = randomUUID();
    await pool.ensureVolume({ volumeId: source, ownerId, sizeBytes: 8 * MIB });
    const file = (await pool.claimVolume(source, 1)).source;
    for (let mib = 0; mib < 8; mib += 1) writeMib(file, mib, mib + 1);
    const snapshotId = randomUUID();
    await pool.snapshotVolumes({ volumes: [{ volumeId: source, snapshotId }] });
    // A linked clone of it: what its own layers take is little, what a copy of it takes is not known beforehand.
    const linked = randomUUID();
    await pool.cloneVolume({ volumeId: linked, ownerId, source: { volumeId: source, snapshotId }, isLinked: true });
    await pool.snapshotVolumes({ volumes: [{ volumeId: linked, snapshotId }] });
    writeFileSync(join(path, 'ballast'), Buffer.alloc(11 * MIB));
    const request = { volumeId: randomUUID(), ownerId, source: { volumeId: linked, snapshotId }, isLinked: false };
    await expect(pool.cloneVolume(request)).rejects.toMatchObject({ code: 'no_capacity' });
    expect(readdirSync(join(path, 'layers')).filter((name) => name.endsWith('.partial'))).toEqual([]);
    expect(readMibs((await pool.claimVolume(source, 1)).source)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await rm(join(path, 'ballast'));
    await pool.cloneVolume(request);
    expect(readMibs((await pool.claimVolume(request.volumeId, 1)).source)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
