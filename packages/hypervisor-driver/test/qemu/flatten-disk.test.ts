import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FlattenWatch, openQemuDriver } from '../../src/index.js';
import { openScratch } from './scratch.js';

const DISK_BYTES = 16 * MIB;
const { path: folder, remove } = openScratch();
const driver = openQemuDriver();
const fileOf = (name: string) => join(folder, `${name}.qcow2`);
const tool = (...args: string[]) => execFileSync('qemu-img', args);
const io = (file: string, ...commands: string[]) =>
  execFileSync('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), file]);
const watch = (changes: Partial<FlattenWatch> = {}): FlattenWatch => ({
  signal: new AbortController().signal,
  onProgress: () => undefined,
  ...changes,
});
const image = fileOf('image');

beforeAll(() => {
  tool('create', '-q', '-f', 'qcow2', image, '8M');
  io(image, 'write -q -P 1 0 1M', 'write -q -P 1 4M 1M');
});
afterAll(() => remove());

async function aDisk(name: string): Promise<string> {
  const path = fileOf(name);
  await driver.ensureDisk({ path, sizeBytes: DISK_BYTES, imagePath: image });
  io(path, 'write -q -P 2 4M 1M', 'write -q -P 2 12M 1M');
  return path;
}

describe('a disk that is flattened', () => {
  it('is one file with all that is seen through it, and tells how far it is', async () => {
    const [path, target] = [await aDisk('whole'), fileOf('whole-flat')];
    const heard: number[] = [];
    const disk = { path, imagePath: image, sizeBytesMax: DISK_BYTES, target };
    await driver.flattenDisk(disk, watch({ onProgress: (fraction) => heard.push(fraction) }));
    const info = JSON.parse(String(tool('info', '-f', 'qcow2', '--output=json', target)));
    expect([info['virtual-size'], info['backing-filename']]).toEqual([DISK_BYTES, undefined]);
    io(target, 'read -P 1 0 1M', 'read -P 2 4M 1M', 'read -P 0 8M 4M', 'read -P 2 12M 1M');
    expect(heard.at(-1)).toBe(1);
  });

  it.each<[string, (path: string) => void, number]>([
    [
      'names another file',
      (path) => void tool('rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/hostname', path),
      DISK_BYTES,
    ],
    ['names none', (path) => void tool('rebase', '-u', '-f', 'qcow2', '-b', '', path), DISK_BYTES],
    ['is larger than it is to be', () => undefined, DISK_BYTES - MIB],
  ])('is refused when its header %s', async (what, change, sizeBytesMax) => {
    const [path, target] = [await aDisk(what.replaceAll(' ', '-')), fileOf('refused')];
    change(path);
    const flattened = driver.flattenDisk({ path, imagePath: image, sizeBytesMax, target }, watch());
    await expect(flattened).rejects.toMatchObject({ code: 'image_invalid' });
    expect(existsSync(target)).toBe(false);
  });

  it('ends when it is broken off', async () => {
    const [path, target] = [await aDisk('stopped'), fileOf('stopped-flat')];
    const disk = { path, imagePath: image, sizeBytesMax: DISK_BYTES, target };
    const flattened = driver.flattenDisk(disk, watch({ signal: AbortSignal.abort() }));
    await expect(flattened).rejects.toMatchObject({ code: 'cancelled' });
  });
});
