import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { newVolume } from '../pool-kit.js';
import { rbdKit } from './rbd-kit.js';

const SWEEP = { trashKeepMs: Number.MAX_SAFE_INTEGER, orphanAgeMs: 0 };
const aName = (): string => `${randomUUID()}.${randomUUID()}.0123456789ab`;

it('images of nobody in the trash of Ceph are listed until they are removed, with their snapshots', async () => {
  const pool = await rbdKit.open();
  const volumeId = await newVolume(pool);
  const [plain, snapped, foreign] = [aName(), aName(), 'of somebody else'];
  const { tools } = pool;
  for (const name of [plain, snapped, foreign]) await tools.rbd(['create', tools.spec(name), '--size', '4M']);
  await tools.rbd(['snap', 'create', '--no-progress', tools.spec(snapped, 'kept')]);
  await tools.rbd(['trash', 'mv', tools.spec(foreign)]);
  await pool.sweep(SWEEP);
  const bytes = 4 * 1024 * 1024;
  expect(await pool.listSetAside()).toEqual([plain, snapped].sort().map((name) => ({ name, bytes })));
  for (const name of [plain, snapped, plain]) await pool.removeSetAside(name);
  expect(await pool.listSetAside()).toEqual([]);
  await expect(pool.removeSetAside(foreign)).rejects.toMatchObject({ code: 'invalid_request' });
  const { stdout } = await tools.rbd(['trash', 'ls', '--format', 'json', tools.poolSpec]);
  expect(JSON.parse(stdout)).toMatchObject([{ name: foreign }]);
  expect((await pool.observeVolume(volumeId)).state).toBe('ready');
});

it('an image of nobody stays while clones rest on it', async () => {
  const pool = await rbdKit.open();
  const [base, clone] = [aName(), aName()];
  const { tools } = pool;
  await tools.rbd(['create', tools.spec(base), '--size', '4M']);
  await tools.rbd(['snap', 'create', '--no-progress', tools.spec(base, 'kept')]);
  await tools.rbd(['clone', '--rbd-default-clone-format', '2', tools.spec(base, 'kept'), tools.spec(clone)]);
  await pool.sweep(SWEEP);
  await expect(pool.removeSetAside(base)).rejects.toMatchObject({ code: 'in_use' });
  for (const name of [clone, base]) await pool.removeSetAside(name);
  expect(await pool.listSetAside()).toEqual([]);
});
