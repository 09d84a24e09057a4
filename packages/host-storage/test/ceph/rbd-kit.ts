import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type {} from '../../../../tests/ceph/ceph-setup.js';
import { CephTools } from '../../src/images/ceph-tools.js';
import { RadosLog } from '../../src/images/rados-log.js';
import { RadosRecords } from '../../src/images/rados-records.js';
import { type CephPlace, openRbdPool, POOL_DRIVERS } from '../../src/index.js';
import type { OpenMore, PoolKit, TestedPool } from '../pool-kit.js';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-rbd-')));
export const scratchFolder = scratch;

export interface RbdPool extends TestedPool {
  readonly tools: CephTools;
}

export interface RbdKit extends PoolKit {
  open(more?: OpenMore): Promise<RbdPool>;
}

const isRbd = (pool: TestedPool): pool is RbdPool => 'tools' in pool;

/** Each in a namespace of its own, which Ceph's operator makes. */
function newPlace(): CephPlace {
  const { confPath, keyringPath, adminKeyringPath } = inject('ceph');
  const namespace = `n-${randomUUID()}`;
  const who = ['--conf', confPath, '--keyring', adminKeyringPath];
  execFileSync('rbd', [...who, 'namespace', 'create', `vms/${namespace}`]);
  return { pool: 'vms', namespace, confPath, user: 'kvorum', keyringPath };
}

export const rbdKit: RbdKit = {
  title: 'an rbd pool on Ceph',
  driver: 'rbd',
  capabilities: { ...POOL_DRIVERS.rbd, hasReflink: false },
  chainAfter: () => 1,
  clonesRestOnSource: true,
  newFolder: () => mkdtempSync(join(scratch, 'folder-')),
  async open({ beside, ...more } = {}) {
    const place = beside !== undefined && isRbd(beside) ? beside.tools.place : newPlace();
    const tools = new CephTools(place);
    const pool = await openRbdPool({
      poolId: beside?.id ?? randomUUID(),
      hostId: randomUUID(),
      place,
      privateFolder: mkdtempSync(join(scratch, 'keys-')),
      mayInitialise: true,
      highWaterRatio: 1,
      ...more,
    });
    return {
      ...pool,
      tools,
      pieces: async () => JSON.parse((await tools.rbd(['ls', '--format', 'json', tools.poolSpec])).stdout) as string[],
      recorded: async () =>
        [...(await new RadosRecords(new RadosLog(tools), tools).summaries())]
          .filter(([, { state }]) => state !== 'gone')
          .map(([id]) => id),
    };
  },
};
