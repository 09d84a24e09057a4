import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GIB } from '@kvorum/schema';
import { type LvmPlace, openLvmThinPool, POOL_DRIVERS } from '../../src/index.js';
import { FileRecords } from '../../src/lvm/file-records.js';
import { type EndLvm, LvmTools } from '../../src/lvm/lvm-tools.js';
import { VolumeLocks } from '../../src/volume-lock.js';
import type { OpenMore, PoolKit, TestedPool } from '../pool-kit.js';
import { FakeLvm, type FakeThinPool } from './fake-lvm.js';

export const scratchFolder = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-lvm-')));

/** Where LVM is, and what of it is this test's. */
export interface LvmSite {
  readonly place: LvmPlace;
  readonly endLvm?: EndLvm;
  readonly deviceFolder: string;
  readonly recordsFolder: string;
}

export interface LvmPool extends TestedPool {
  readonly site: LvmSite;
}
const isLvm = (pool: TestedPool): pool is LvmPool => 'site' in pool;

/** Files under a program that keeps the rules of lvm2. */
export function newFakeSite(pool: Partial<FakeThinPool> = {}): LvmSite & { readonly lvm: FakeLvm } {
  const folder = mkdtempSync(join(scratchFolder, 'lvm-'));
  const lvm = new FakeLvm(folder, 'vms', { name: 'thin', sizeBytes: 4 * GIB, ...pool });
  const place = { group: 'vms', pool: 'thin' };
  return { lvm, place, endLvm: lvm.end, deviceFolder: lvm.deviceFolder, recordsFolder: join(folder, 'records') };
}

/** A real thin pool, GROUP/POOL: what tests make on it is removed again, with the tag that makes it one of ours. */
export function newRealSite(name: string): LvmSite {
  const [group = '', pool = ''] = name.split('/');
  const place = { group, pool };
  execFileSync('lvm', ['lvs', name]);
  const names = execFileSync('lvm', ['lvs', '--noheadings', '-o', 'lv_name', group], { encoding: 'utf8' });
  for (const one of names.split('\n').map((line) => line.trim())) {
    if (/^kv[is]q?\./.test(one)) execFileSync('lvm', ['lvremove', '--yes', `${group}/${one}`]);
  }
  const tags = execFileSync('lvm', ['lvs', '--noheadings', '-o', 'lv_tags', name], { encoding: 'utf8' }).trim();
  for (const tag of tags.split(',').filter((each) => each.startsWith('kvorum.')))
    execFileSync('lvm', ['lvchange', '--deltag', tag, name]);
  const recordsFolder = join(mkdtempSync(join(scratchFolder, 'records-')), 'records');
  return { place, deviceFolder: '/dev', recordsFolder };
}

export const lvmKit = (title: string, newSite: () => LvmSite): PoolKit => ({
  title,
  driver: 'lvm-thin',
  capabilities: { ...POOL_DRIVERS['lvm-thin'], hasReflink: true },
  chainAfter: () => 1,
  clonesRestOnSource: false,
  newFolder: () => mkdtempSync(join(scratchFolder, 'folder-')),
  async open({ beside, ...more }: OpenMore = {}) {
    const site = beside !== undefined && isLvm(beside) ? beside.site : newSite();
    const { place, endLvm, deviceFolder, recordsFolder } = site;
    const pool = await openLvmThinPool({
      poolId: beside?.id ?? randomUUID(),
      hostId: randomUUID(),
      ...{ place, recordsFolder, deviceFolder, ...(endLvm && { endLvm }) },
      mayInitialise: true,
      highWaterRatio: 1,
      ...more,
    });
    const tools = new LvmTools(place, endLvm);
    const folder = (name: string): string => join(recordsFolder, name);
    const records = new FileRecords(folder('volumes'), new VolumeLocks(folder('locks')));
    const tested: LvmPool = {
      ...pool,
      site,
      // As elsewhere a snapshot is no piece of its own.
      pieces: async () => (await tools.list()).volumes.map(({ name }) => name).filter((name) => name.startsWith('kvi')),
      recorded: async () =>
        [...(await records.summaries())].filter(([, { state }]) => state !== 'gone').map(([id]) => id),
    };
    return tested;
  },
});
