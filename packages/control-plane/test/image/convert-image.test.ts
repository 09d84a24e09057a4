import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { newId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageStore, openImageStore } from '../../src/image/image-store.js';

const run = promisify(execFile);
const DISK_BYTES = 4 * 1_048_576;

let folder: string;
let store: ImageStore;
let raw: Buffer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvorum-convert-'));
  store = await openImageStore({ dataDir: folder, importDir: join(folder, 'import') });
  // A disk with a boot sector, some data in the middle, and holes.
  raw = Buffer.alloc(DISK_BYTES);
  raw.write('\x55\xaa', 510, 'latin1');
  raw.fill(7, 2_000_000, 2_100_000);
  await writeFile(join(folder, 'disk.raw'), raw);
});
afterAll(() => rm(folder, { recursive: true }));

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const aFileOf = async (driver: string): Promise<Buffer> => {
  const path = join(folder, `disk.${driver}`);
  if (driver !== 'raw') await run('qemu-img', ['convert', '-f', 'raw', '-O', driver, join(folder, 'disk.raw'), path]);
  return readFile(path);
};
const receive = (imageId: string, bytes: Buffer) =>
  store.receive(imageId, Readable.from([bytes]), {
    checksum: { algorithm: 'sha256', hex: sha256(bytes) },
    contentLength: bytes.byteLength,
  });
const incoming = () => readdir(join(folder, 'images', 'incoming'));

describe('an image in another format than qcow2', () => {
  it.each([
    ['raw', 'raw'],
    ['vdi', 'vdi'],
    ['vhdx', 'vhdx'],
    ['vpc', 'vhd'],
  ])('becomes qcow2 with the same disk in it: %s', async (driver, sourceFormat) => {
    const bytes = await aFileOf(driver);
    const imageId = newId();
    const received = await receive(imageId, bytes);
    expect(received.facts).toMatchObject({ sourceFormat, sourceSha256: sha256(bytes) });
    await received.keep();
    expect(await incoming()).toEqual([]);
    const path = join(folder, 'images', `${imageId}.qcow2`);
    const kept = await readFile(path);
    expect(received.facts).toMatchObject({ sha256: sha256(kept), sizeBytes: kept.byteLength });
    await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, join(folder, 'back.raw')]);
    const back = await readFile(join(folder, 'back.raw'));
    // A VHD's geometry rounds its size up.
    expect(back.subarray(0, DISK_BYTES).equals(raw)).toBe(true);
    expect(back.subarray(DISK_BYTES).every((byte) => byte === 0)).toBe(true);
    expect(received.facts.virtualSizeBytes).toBe(back.byteLength);
  });

  it.each<[string, () => Buffer]>([
    [
      'a vdi that ends within its header',
      () => Buffer.concat([Buffer.alloc(64), Buffer.from([0x7f, 0x10, 0xda, 0xbe])]),
    ],
    ['a vhdx of zeros', () => Buffer.concat([Buffer.from('vhdxfile'), Buffer.alloc(1_048_576)])],
    ['a vhd of zeros', () => Buffer.concat([Buffer.from('conectix'), Buffer.alloc(4096)])],
  ])('is refused when it is %s, and nothing is left', async (_, make) => {
    await expect(receive(newId(), make())).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining('cannot be converted'),
    });
    expect(await incoming()).toEqual([]);
  });

  it('is refused for a vhd that rests on another disk', async () => {
    const bytes = await aFileOf('vpc');
    bytes.writeUInt32BE(4, 60);
    await expect(receive(newId(), bytes)).rejects.toThrow('rests on another disk');
  });
});

const small = mkdtempSync(join(tmpdir(), 'kvorum-full-'));
const mount = ['-t', 'tmpfs', '-o', 'size=3m', 'kvorum-test', small];
const isMounted = spawnSync('mount', mount, { stdio: 'ignore' }).status === 0;
if (!isMounted) console.log('skipped: a small file system cannot be mounted here');
afterAll(async () => {
  if (isMounted) await run('umount', [small]);
  await rm(small, { recursive: true });
});

describe.skipIf(!isMounted)('a data folder that is full', () => {
  it.each([
    ['while the content comes in', 4],
    ['while it is converted', 2],
  ])('refuses an image for which there is no room %s, and leaves nothing', async (_, sizeMib) => {
    const own = await openImageStore({ dataDir: small, importDir: join(small, 'import') });
    const bytes = Buffer.alloc(sizeMib * 1_048_576, 7);
    bytes.write('\x55\xaa', 510, 'latin1');
    const wanted = { checksum: null, contentLength: bytes.byteLength };
    await expect(own.receive(newId(), Readable.from([bytes]), wanted)).rejects.toMatchObject({
      code: 'payload_too_large',
      message: expect.stringContaining('no room'),
    });
    expect(await readdir(join(small, 'images', 'incoming'))).toEqual([]);
  });
});
