import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GIB, MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { openLvmThinPool } from '../../src/index.js';
import { LvmThinImages } from '../../src/lvm/lvm-thin-images.js';
import { LvmTools, readReport } from '../../src/lvm/lvm-tools.js';
import { anImage } from '../image.contract.js';
import type { FakeThinPool } from './fake-lvm.js';
import { type LvmSite, newFakeSite, scratchFolder } from './lvm-kit.js';
import { MIB_EXTENTS_REPORT } from './lvs-report.js';

afterAll(() => rmSync(scratchFolder, { recursive: true }));

const hostId = randomUUID();
const openOn = (site: LvmSite, more: Partial<Parameters<typeof openLvmThinPool>[0]> = {}) => {
  const { place, endLvm, deviceFolder, recordsFolder } = site;
  const where = { place, deviceFolder, recordsFolder, ...(endLvm && { endLvm }) };
  return openLvmThinPool({ poolId: null, hostId, mayInitialise: true, ...where, ...more });
};

describe('a report of lvs(8)', () => {
  it('is read as lvm2 2.03.16 writes it', () => {
    expect(readReport(MIB_EXTENTS_REPORT, { group: 'kvtest', pool: 'pool' })).toEqual({
      pool: {
        ...{ name: 'pool', sizeBytes: 100 * MIB, origin: '', usedRatio: null, metadataRatio: null, isOpen: false },
        tags: ['kvorum.pool.11111111-1111-4111-8111-111111111111'],
        ...{ madeAtMs: 1_764_000_000_000, zeroesNewBlocks: true, failsWhenFull: false, extentBytes: MIB },
      },
      volumes: [
        {
          ...{ name: 'kvi.a.b.c', sizeBytes: 50 * MIB, origin: '', tags: [], usedRatio: null, isOpen: false },
          madeAtMs: 1_764_000_000_000,
        },
        {
          ...{ name: 'kvs.a.b', sizeBytes: 50 * MIB, origin: 'kvi.a.b.c', tags: [], usedRatio: null, isOpen: false },
          madeAtMs: 1_764_000_001_000,
        },
      ],
    });
  });

  it.each(['', '{}', '{"report":[{"lv":[{"lv_name":"a"}]}]}'])('is refused like %j', (text) => {
    expect(() => readReport(text, { group: 'kvtest', pool: 'pool' })).toThrow(/lvs gave an answer that cannot be read/);
  });

  it('without the pool is refused by its name', () => {
    expect(() => readReport(MIB_EXTENTS_REPORT, { group: 'kvtest', pool: 'other' })).toThrow(
      'kvtest has no thin pool other',
    );
  });
});

/** The words of lvm2 that each verb is made of. */
describe('the verbs of a thin pool', () => {
  const volumeId = '0a000000-0000-4000-8000-00000000000a';
  const snapshot = '0b000000-0000-4000-8000-00000000000b';
  const image = `${volumeId}.${volumeId}.0123456789ab`;
  const cloned = `${snapshot}.${snapshot}.ba9876543210`;
  const [bareVolume, bareSnapshot] = [volumeId, snapshot].map((id) => id.replaceAll('-', ''));
  const imageVolume = `kvi.${bareVolume}.${bareVolume}.0123456789ab`;
  const snapshotVolume = `kvs.0123456789ab.${bareVolume}.${bareSnapshot}`;
  const clonedVolume = `kvi.${bareSnapshot}.${bareSnapshot}.ba9876543210`;
  const site = newFakeSite();
  const tools = new LvmTools(site.place, site.endLvm);
  const images = new LvmThinImages({ tools, qemuImgPath: 'qemu-img', deviceFolder: site.deviceFolder });
  const name = { image, snapshot };

  it.each<[string, () => Promise<unknown>, string[]]>([
    [
      'create',
      () => images.create(image, 3 * MIB + 512),
      [
        `lvcreate --yes --name ${imageVolume} --wipesignatures n --activate y --virtualsize ${4 * MIB}b --thinpool thin vms`,
      ],
    ],
    ['make ready', () => images.makeReady(image), [`lvchange --activate y --ignoreactivationskip vms/${imageVolume}`]],
    ['grow', () => images.growUnder(image, 8 * MIB), [`lvextend --size ${8 * MIB}b vms/${imageVolume}`]],
    [
      'snapshot',
      () => images.snapshot(name),
      [`lvcreate --yes --name ${snapshotVolume} --snapshot --permission r --setactivationskip y vms/${imageVolume}`],
    ],
    [
      'clone',
      () => images.clone({ ...name, sizeBytes: 8 * MIB }, cloned, 9 * MIB),
      [
        `lvcreate --yes --name ${clonedVolume} --snapshot --permission rw --setactivationskip n --activate y vms/${snapshotVolume}`,
        `lvextend --size ${9 * MIB}b vms/${clonedVolume}`,
      ],
    ],
    ['flatten', () => images.flatten(cloned, {}), [`lvchange --addtag kvorum.whole vms/${clonedVolume}`]],
    ['remove a snapshot', () => images.removeSnapshot(name), [`lvremove --yes vms/${snapshotVolume}`]],
    [
      'set aside',
      () => images.setAside(cloned, 0),
      [`lvrename vms ${clonedVolume} ${clonedVolume.replace('kvi.', 'kviq.')}`],
    ],
    ['remove', () => images.remove(image), [`lvremove --yes vms/${imageVolume}`]],
  ])('%s', async (_verb, run, expected) => {
    site.lvm.commands.length = 0;
    await run();
    const changes = site.lvm.commands.filter(([tool]) => tool !== 'lvs').map((command) => command.join(' '));
    expect(changes).toEqual(expected);
  });

  it('name each volume within what device-mapper takes, with a group of the longest name', () => {
    const longest = Math.max(...[imageVolume, snapshotVolume].map(({ length }) => length)) + 'q'.length;
    expect('g'.repeat(42).length + '-'.length + longest).toBeLessThanOrEqual(127);
  });
});

describe('a thin pool of LVM', () => {
  it.each<[string, Partial<FakeThinPool>, RegExp]>([
    ['hands out blocks unzeroed', { zero: '' }, /lvchange --zero y vms\/thin/],
    ['lets writes wait when full', { whenFull: 'queue' }, /lvchange --errorwhenfull y vms\/thin/],
    ['has extents of 4 MiB', { extentBytes: 4 * MIB }, /vgchange --physicalextentsize 1m vms/],
  ])('that %s is refused with the remedy', async (_what, pool, remedy) => {
    await expect(openOn(newFakeSite(pool))).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringMatching(remedy),
    });
  });

  it.each([
    [{ group: '../vms', pool: 'thin' }, 'place.group'],
    [{ group: '-vms', pool: 'thin' }, 'place.group'],
    [{ group: 'g'.repeat(43), pool: 'thin' }, 'place.group'],
    [{ group: 'a-'.repeat(15), pool: 'thin' }, 'place.group'],
    [{ group: 'vms', pool: 'a/b' }, 'place.pool'],
  ])('is not looked for by the names of %j', async (place, field) => {
    await expect(openOn({ ...newFakeSite(), place })).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ field }] },
    });
  });

  it('whose records are lost is refused, and nothing is written over them', async () => {
    const site = newFakeSite();
    await openOn(site);
    rmSync(site.recordsFolder, { recursive: true });
    const refused = { code: 'host_fault', message: expect.stringMatching(/records .* are not in .*: bring them back/) };
    for (let time = 0; time < 2; time += 1) await expect(openOn(site)).rejects.toMatchObject(refused);
  });

  it('is not opened with the records of another', async () => {
    const [site, other] = [newFakeSite(), newFakeSite()];
    await openOn(other);
    mkdirSync(site.recordsFolder, { recursive: true });
    await openOn(site);
    await expect(openOn({ ...site, recordsFolder: other.recordsFolder })).rejects.toMatchObject({
      code: 'conflict_state',
    });
  });

  it('is full when its metadata are', async () => {
    const pool = await openOn(newFakeSite({ metadataPercent: '95.00' }));
    const facts = await pool.observe();
    expect(facts).toMatchObject({ totalBytes: 4 * GIB, allocatedBytes: 0, isAboveHighWater: true });
    await expect(
      pool.ensureVolume({ volumeId: randomUUID(), ownerId: randomUUID(), sizeBytes: MIB }),
    ).rejects.toMatchObject({ code: 'no_capacity' });
  });

  it('sets aside what no record names, with its snapshots, and nothing else', async () => {
    const site = newFakeSite();
    const pool = await openOn(site);
    const image = anImage(scratchFolder);
    await pool.importImage(image);
    const kept = randomUUID();
    await pool.ensureVolume({ volumeId: kept, ownerId: randomUUID(), sizeBytes: MIB });
    rmSync(join(site.recordsFolder, 'volumes', `${image.imageId}.json`));
    const { quarantined, faults } = await pool.sweep({ trashKeepMs: 0, orphanAgeMs: 0 });
    expect(faults).toEqual([]);
    expect(quarantined).toEqual([{ name: expect.stringContaining(image.imageId), bytes: 2 * MIB }]);
    const { volumes } = await new LvmTools(site.place, site.endLvm).list();
    expect(volumes.map(({ name }) => name.split('.')[0]).sort()).toEqual(['kvi', 'kviq', 'kvsq']);
    const [aside] = await pool.listSetAside();
    expect(aside).toEqual(quarantined[0]);
    for (let time = 0; time < 2; time += 1) await pool.removeSetAside(String(aside?.name));
    expect(await pool.listSetAside()).toEqual([]);
    const left = (await new LvmTools(site.place, site.endLvm).list()).volumes;
    expect(left.map(({ name }) => name.split('.')[0])).toEqual(['kvi']);
  });
});
