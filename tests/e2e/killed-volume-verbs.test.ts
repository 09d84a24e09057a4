import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDirectoryPool, type StoragePool } from '@kvorum/host-storage';
import { MIB } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const { MODE } = (import.meta as { readonly env?: { readonly MODE?: string } }).env ?? {};

const DYING_VERB = fileURLToPath(new URL('dying-volume-verb.mjs', import.meta.url));
/** Every point takes minutes: `npm run test:volumes` does. Otherwise each eighth, another first one for each verb. */
const STRIDE = MODE === 'every-case' ? 1 : 8;
/** No verb takes more; a test that never ends is a bug of the verb or of the test. */
const POINTS_MAX = 80;
/** How long a tool lives after its start; one after the other, so that it is hit at different moments. */
const DELAYS_MS = [0, 2, 5, 10, 20, 40];
/** qemu-img(1): `check` ends with 3 for leaked clusters alone. */
const SOUND = [0, 3];

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-killed-verbs-')));
afterAll(() => rmSync(scratch, { recursive: true }));
const template = join(scratch, 'template');
const [poolId, hostId, ownerId, volumeId, otherId] = Array.from({ length: 5 }, () => randomUUID()) as [
  string,
  string,
  string,
  string,
  string,
];
const [first, second, newId, cloneId] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
const SIZE_MIB = 48;
const options = { poolId, hostId, driver: 'dir' as const, mayInitialise: true, highWaterRatio: 1 };

function write(path: string, fromMib: number, countMib: number, byte: number): void {
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -q -P ${byte} ${fromMib}M ${countMib}M`, '-c', 'flush', path]);
}

/** The first byte of each MiB: none of them was written in part. */
function bytesOf(path: string): number[] {
  const raw = join(scratch, 'raw');
  execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, raw]);
  const content = readFileSync(raw);
  return Array.from({ length: content.length / MIB }, (_, mib) => content[mib * MIB]!);
}

const check = (folder: string, name: string): number | null =>
  spawnSync('qemu-img', ['check', '-q', '-f', 'qcow2', name], { cwd: join(folder, 'layers') }).status;

const layersOf = (folder: string): string[] =>
  readdirSync(join(folder, 'layers')).filter((name) => name.endsWith('.qcow2'));

async function fileOf(pool: StoragePool, id: string): Promise<string> {
  const { source } = await pool.claimVolume(id, 1);
  if (source.kind !== 'files') throw new TypeError('a folder of files gives files');
  return source.path;
}

const content = (byte: number, upToMib: number, ...rest: [number, number][]): number[] => {
  const bytes = Array.from({ length: SIZE_MIB }, (_, mib) => (mib < upToMib ? byte : 0));
  for (const [mib, value] of rest) bytes[mib] = value;
  return bytes;
};
const AT_FIRST = content(1, 24);
const AT_SECOND = content(2, 16, ...Array.from({ length: 8 }, (_, mib): [number, number] => [16 + mib, 1]));
const NOW = AT_SECOND.map((byte, mib) => (mib === 47 ? 3 : byte));

beforeAll(async () => {
  execFileSync('mkdir', [template]);
  const pool = await openDirectoryPool({ ...options, path: template });
  for (const id of [volumeId, otherId]) await pool.ensureVolume({ volumeId: id, ownerId, sizeBytes: SIZE_MIB * MIB });
  write(await fileOf(pool, volumeId), 0, 24, 1);
  await pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId: first }] });
  write(await fileOf(pool, volumeId), 0, 16, 2);
  await pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId: second }] });
  write(await fileOf(pool, volumeId), 47, 1, 3);
});

function anImage(): { path: string; sha256: string } {
  const path = join(scratch, 'image.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, `${SIZE_MIB}M`]);
  write(path, 0, SIZE_MIB, 4);
  return { path, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
}
const image = anImage();

interface Case {
  readonly verb: keyof StoragePool;
  readonly args: readonly unknown[];
  /** What each volume shows after the verb was repeated; null: there is no such volume. */
  readonly shows: Readonly<Record<string, readonly number[] | null>>;
}
const source = { volumeId, snapshotId: second };
const CASES: readonly [string, Case][] = [
  [
    'making a volume',
    {
      verb: 'ensureVolume',
      args: [{ volumeId: newId, ownerId, sizeBytes: 2 * MIB }],
      shows: { [newId]: [0, 0], [volumeId]: NOW },
    },
  ],
  [
    'growing a volume',
    {
      verb: 'growVolume',
      args: [{ volumeId, sizeBytes: (SIZE_MIB + 2) * MIB }],
      shows: { [volumeId]: [...NOW, 0, 0] },
    },
  ],
  [
    'a snapshot of two volumes',
    {
      verb: 'snapshotVolumes',
      args: [{ volumes: [volumeId, otherId].map((id) => ({ volumeId: id, snapshotId: newId })) }],
      shows: { [volumeId]: NOW, [otherId]: content(0, 0) },
    },
  ],
  [
    'removing a snapshot, whose layer is merged',
    { verb: 'removeSnapshot', args: [volumeId, first], shows: { [volumeId]: NOW } },
  ],
  [
    'going back to a snapshot',
    {
      verb: 'revertVolume',
      args: [{ volumeId, snapshotId: first, revertId: newId }],
      shows: { [volumeId]: AT_FIRST },
    },
  ],
  [
    'a linked clone',
    {
      verb: 'cloneVolume',
      args: [{ volumeId: newId, ownerId, source, isLinked: true }],
      shows: { [volumeId]: NOW, [newId]: AT_SECOND },
    },
  ],
  [
    'a full clone',
    {
      verb: 'cloneVolume',
      args: [{ volumeId: newId, ownerId, source, isLinked: false }],
      shows: { [volumeId]: NOW, [newId]: AT_SECOND },
    },
  ],
  [
    'taking in an image',
    {
      verb: 'importImage',
      args: [{ imageId: newId, ownerId, sha256: image.sha256, path: image.path }],
      shows: { [cloneId]: content(4, SIZE_MIB) },
    },
  ],
  [
    'deleting a volume for good',
    { verb: 'sweep', args: [{ trashKeepMs: 0, orphanAgeMs: 3_600_000 }], shows: { [volumeId]: null } },
  ],
];

describe.each(CASES)('an agent killed at any moment of %s', (name, { verb, args, shows }) => {
  it('leaves a pool that is sound, and on which the same verb ends well', async () => {
    let deaths = 0;
    for (let dieAt = 1 + (name.length % STRIDE); dieAt <= POINTS_MAX; dieAt += STRIDE) {
      const folder = join(scratch, `${verb}-${dieAt}`);
      execFileSync('cp', ['-a', '--sparse=always', template, folder]);
      const opened = { ...options, path: folder };
      if (verb === 'sweep') await (await openDirectoryPool(opened)).removeVolume(volumeId);
      const spec = { options: opened, verb, args, dieAt, delayMs: DELAYS_MS[dieAt % DELAYS_MS.length] };
      const end = spawnSync(process.execPath, [DYING_VERB, JSON.stringify(spec)], { encoding: 'utf8' });
      if (end.signal !== 'SIGKILL') expect(end.status, end.stderr).toBe(0);
      else deaths += 1;
      for (const layer of layersOf(folder)) expect(SOUND, `${name}, point ${dieAt}`).toContain(check(folder, layer));

      const pool = await openDirectoryPool({ ...opened, mayInitialise: false });
      await (pool[verb] as (...given: readonly unknown[]) => Promise<unknown>)(...args);
      if (verb === 'importImage') {
        const ofImage = { volumeId: newId, snapshotId: newId };
        await pool.cloneVolume({ volumeId: cloneId, ownerId, source: ofImage, isLinked: true });
      }
      for (const layer of layersOf(folder)) expect(check(folder, layer), `${name}, point ${dieAt}`).toBe(0);
      for (const [id, bytes] of Object.entries(shows)) {
        if (bytes === null) await expect(pool.observeVolume(id)).rejects.toMatchObject({ code: 'not_found' });
        else expect(bytesOf(await fileOf(pool, id)), `${name}, point ${dieAt}`).toEqual(bytes);
      }
      expect((await pool.sweep({ trashKeepMs: 1e12, orphanAgeMs: 3_600_000 })).faults).toEqual([]);
      rmSync(folder, { recursive: true });
      if (end.signal !== 'SIGKILL' && Number(end.stdout) < dieAt) break;
    }
    expect(deaths).toBeGreaterThan(5 / STRIDE);
    expect(deaths).toBeLessThan(POINTS_MAX / STRIDE);
  });
});
