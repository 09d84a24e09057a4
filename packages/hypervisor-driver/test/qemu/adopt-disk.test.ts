import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { openQemuDriver } from '../../src/index.js';
import { openScratch } from './scratch.js';

const scratch = openScratch();
afterAll(() => scratch.remove());
const at = (name: string): string => join(scratch.path, name);
const qemuImg = (...args: string[]): string => execFileSync('qemu-img', args, { encoding: 'utf8' });
const qemuIo = (path: string, command: string): string =>
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', command, path], { encoding: 'utf8' });

const DISK_BYTES = 8 * MIB;
/** The same image on two hosts, each with folders of its own. */
for (const host of ['a', 'b']) mkdirSync(at(host));
const image = (host: string): string => at(`${host}/image.qcow2`);
qemuImg('create', '-q', '-f', 'qcow2', image('a'), String(DISK_BYTES / 2));
qemuIo(image('a'), 'write -P 0x11 0 1M');
writeFileSync(image('b'), readFileSync(image('a')));
const driver = openQemuDriver();
let count = 0;

/** A file as it came from host a. */
function aReceived(make: (file: string) => void): { file: string; path: string } {
  count += 1;
  const file = at(`b/disk-${count}.incoming`);
  make(file);
  return { file, path: at(`b/disk-${count}.qcow2`) };
}
const overlay = (file: string, size = DISK_BYTES): void => {
  qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image('a'), file, String(size));
  qemuIo(file, 'write -P 0x22 2M 1M');
};
const adopt = (received: { file: string; path: string }, imagePath: string | null = image('b')): Promise<void> =>
  driver.adoptDisk({ ...received, imagePath, sizeBytesMax: DISK_BYTES });

describe('a disk from another host', () => {
  it('rests on the image of this host afterwards, with what was written to it; twice is once', async () => {
    const received = aReceived(overlay);
    await adopt(received);
    await adopt(received);
    expect(existsSync(received.file)).toBe(false);
    expect(JSON.parse(qemuImg('info', '--output=json', received.path))).toMatchObject({
      'virtual-size': DISK_BYTES,
      'backing-filename': image('b'),
      'backing-filename-format': 'qcow2',
    });
    expect(qemuIo(received.path, 'read -P 0x11 0 1M')).not.toContain('failed');
    expect(qemuIo(received.path, 'read -P 0x22 2M 1M')).not.toContain('failed');
    await driver.ensureDisk({ path: received.path, sizeBytes: DISK_BYTES, imagePath: image('b') });
  });

  it('without an image stays without one', async () => {
    const received = aReceived((file) => qemuImg('create', '-q', '-f', 'qcow2', file, String(DISK_BYTES)));
    await adopt(received, null);
    expect(JSON.parse(qemuImg('info', '--output=json', received.path))).not.toHaveProperty('backing-filename');
  });

  it.each<[string, string, (file: string) => void]>([
    [
      'rests on another file',
      'rests on passwd',
      (file) => qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', file, '8M'),
    ],
    ['rests on nothing', 'rests on no image', (file) => qemuImg('create', '-q', '-f', 'qcow2', file, '8M')],
    [
      'keeps its data elsewhere',
      'another file',
      (file) => qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${file}.data,data_file_raw=on`, file, '8M'),
    ],
    ['is larger than it may be', 'more than', (file) => overlay(file, 2 * DISK_BYTES)],
    ['is no disk', 'not a qcow2', (file) => writeFileSync(file, 'disk')],
    ['has not come', 'not there', () => undefined],
    [
      'has damaged tables',
      'damaged',
      (file) => {
        overlay(file);
        const bytes = readFileSync(file);
        // The first entry of the L1 table points into the header.
        bytes.writeBigUInt64BE(0x8000000000000000n, Number(bytes.readBigUInt64BE(40)));
        writeFileSync(file, bytes);
      },
    ],
  ])('is refused when it %s, and gets no place', async (_what, words, make) => {
    const received = aReceived(make);
    await expect(adopt(received)).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining(words),
    });
    expect(existsSync(received.path)).toBe(false);
  });
});
