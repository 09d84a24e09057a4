import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { openQemuDriver } from '../../src/index.js';
import { openScratch } from './scratch.js';

const scratch = openScratch();
afterAll(() => scratch.remove());
const at = (name: string): string => join(scratch.path, name);
const qemuImg = (...args: string[]): string => execFileSync('qemu-img', args, { encoding: 'utf8' });

const IMAGE_BYTES = 4 * MIB;
const good = at('good.qcow2');
qemuImg('create', '-q', '-f', 'qcow2', good, String(IMAGE_BYTES));
const driver = openQemuDriver();
let count = 0;
const diskOf = (imagePath: string, sizeBytes = IMAGE_BYTES) => ({
  path: at(`d/disk-${count++}`),
  sizeBytes,
  imagePath,
});

describe('an image for a disk', () => {
  it('is taken when it is whole: the disk is an overlay of it with the size asked for', async () => {
    const disk = diskOf(good, IMAGE_BYTES * 2);
    await driver.ensureDisk(disk);
    const info = JSON.parse(qemuImg('info', '--output=json', disk.path));
    expect(info).toMatchObject({
      format: 'qcow2',
      'virtual-size': IMAGE_BYTES * 2,
      'backing-filename': good,
      'backing-filename-format': 'qcow2',
    });
  });

  const refused: [string, string, (path: string) => void][] = [
    [
      'names a backing file',
      'backing file',
      (path) => qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', path, '4M'),
    ],
    [
      'keeps its data elsewhere',
      'another file',
      (path) => qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${path}.data,data_file_raw=on`, path, '4M'),
    ],
    ['is raw', 'not a qcow2', (path) => writeFileSync(path, Buffer.alloc(MIB))],
    ['is empty', 'not a qcow2', (path) => writeFileSync(path, '')],
    [
      'is cut off within its header',
      'within its header',
      (path) => {
        writeFileSync(path, readFileSync(good));
        truncateSync(path, 100);
      },
    ],
    [
      'has a damaged table',
      'not usable',
      (path) => {
        const bytes = readFileSync(good);
        // l1_table_offset: far behind the end of the file and not aligned
        bytes.writeBigUInt64BE(0x7ffffffffffff001n, 40);
        writeFileSync(path, bytes);
      },
    ],
    ['is not there', 'ENOENT', () => undefined],
  ];

  it.each(refused)('is refused when it %s, and no disk is left', async (what, words, make) => {
    const path = at(`${what.replaceAll(' ', '-')}.qcow2`);
    make(path);
    const disk = diskOf(path);
    await expect(driver.ensureDisk(disk)).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining(words),
    });
    expect(existsSync(disk.path)).toBe(false);
  });

  it('is refused when the disk would be smaller than it', async () => {
    await expect(driver.ensureDisk(diskOf(good, IMAGE_BYTES - MIB))).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('making a disk', () => {
  it('overwrites what a crash left half made', async () => {
    const disk = diskOf(good);
    await driver.ensureDisk(disk);
    await driver.removeDisk(disk.path);
    writeFileSync(`${disk.path}.partial`, 'half');
    await driver.ensureDisk(disk);
    expect(readdirSync(at('d')).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('takes names that look like options and protocols as names', async () => {
    const disk = { ...diskOf(good), path: at('d/-o nbd:json:{},x=%s') };
    await driver.ensureDisk(disk);
    await driver.ensureDisk(disk);
    expect(existsSync(disk.path)).toBe(true);
  });

  it('removes the half made one too', async () => {
    const disk = diskOf(good);
    await driver.ensureDisk(disk);
    writeFileSync(`${disk.path}.partial`, 'half');
    await driver.removeDisk(disk.path);
    expect([disk.path, `${disk.path}.partial`].filter((path) => existsSync(path))).toEqual([]);
  });

  it('ends a qemu-img that does not come back', async () => {
    const slow = openQemuDriver({ qemuImgPath: '/usr/bin/yes', imageTimeoutMs: 200 });
    await expect(slow.ensureDisk(diskOf(good))).rejects.toMatchObject({ name: 'DomainError' });
  });
});
