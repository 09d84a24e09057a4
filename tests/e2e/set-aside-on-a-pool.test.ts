import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './eventually.js';
import { type Site, startSite } from './site.js';

const SEEN_MS_MAX = 90_000;
const HOUR_S = 3600;
const OWNER = '019b76da-a800-7000-8000-00000000000a';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-aside-')));
chmodSync(scratch, 0o711);
const poolPath = join(scratch, 'pool');
mkdirSync(poolPath);

let site: Site;
let hostId: string;
beforeAll(async () => {
  const flags = ['--storage-pool', `fast=dir:${poolPath}`];
  site = await startSite({ hostNames: ['host-a'], places: [{ address: '127.0.0.1', through: [], flags }] });
  const pool = await eventually('the pool is known', SEEN_MS_MAX, async () => {
    const { body } = await site.rest.expect(200, 'GET', '/v1/storage-pools?name=fast');
    return (body['items'] as { hosts: { id: string }[] }[])[0];
  });
  hostId = String(pool.hosts[0]?.id);
});
afterAll(async () => {
  await site?.close();
  rmSync(scratch, { recursive: true, force: true });
});

interface SeenLeftover {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly ownerId: string | null;
  readonly pool: { readonly name: string } | null;
  readonly sizeBytes: number;
}
const list = async () =>
  (await site.rest.expect(200, 'GET', '/v1/leftovers')).body['items'] as unknown as SeenLeftover[];

test('a file on a pool that belongs to nobody is set aside, listed, and deleted for good', async () => {
  const files = [`${OWNER}.${OWNER}.qcow2`, 'foreign.img'];
  const agesS = { [files[0] as string]: 2 * HOUR_S, [files[1] as string]: 2 * HOUR_S, 'young.qcow2': 0 };
  for (const [name, ageS] of Object.entries(agesS)) {
    const path = join(poolPath, 'layers', name);
    writeFileSync(path, 'x'.repeat(5_000));
    const atS = Date.now() / 1000 - ageS;
    utimesSync(path, atS, atS);
  }
  const { body: swept } = await site.rest.expect(200, 'POST', `/v1/hosts/${hostId}/sweep`);
  expect(swept).toMatchObject({ faults: [] });
  const listed = await list();
  const facts = listed.map(({ kind, name, ownerId, pool, sizeBytes }) => [kind, name, ownerId, pool?.name, sizeBytes]);
  expect(facts.sort()).toEqual([
    ['volume', files[0], OWNER, 'fast', 8192],
    ['volume', files[1], null, 'fast', 8192],
  ]);
  const inQuarantine = (name: string) => existsSync(join(poolPath, 'quarantine', name));
  expect(files.map(inQuarantine)).toEqual([true, true]);
  for (const { id, name } of listed) {
    await site.rest.expect(204, 'DELETE', `/v1/leftovers/${id}`);
    expect(inQuarantine(name)).toBe(false);
  }
  expect(await list()).toEqual([]);
  await site.rest.expect(404, 'DELETE', `/v1/leftovers/${listed[0]?.id}`);
  expect(existsSync(join(poolPath, 'layers', 'young.qcow2'))).toBe(true);
  await site.rest.expect(200, 'POST', `/v1/hosts/${hostId}/sweep`);
  expect(await list()).toEqual([]);
});
