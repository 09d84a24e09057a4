import { randomBytes } from 'node:crypto';
import { link, mkdtemp, open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KIB, MIB } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AskedPart, pullFile, type SourceOfVm } from './pull-file.js';
import { digestOfPart, PartDigest, runsOf } from './read-part.js';
import { openVmFile } from './vm-files.js';

type Message = { offset: number; data: Uint8Array; sha256: string };
const NO_DATA = new Uint8Array();
const PART_BYTES = 4 * MIB;
/** So that the end of a part lies within a block. */
const ODD_BYTES = 1000;

let folder: string;
let source: string;
let target: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kv-pull-'));
  source = join(folder, 'source');
  target = join(folder, 'target');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A file of two parts and a bit: data at both ends, a hole in between. */
async function aSparseFile(): Promise<number> {
  const sizeBytes = 2 * PART_BYTES + ODD_BYTES;
  const file = await open(source, 'w');
  await file.write(randomBytes(300 * KIB), 0, 300 * KIB, 5);
  await file.write(randomBytes(ODD_BYTES), 0, ODD_BYTES, sizeBytes - ODD_BYTES);
  await file.close();
  return sizeBytes;
}

/** The other host, as its agent answers; `sent` counts what it has sent. */
class HonestSource implements SourceOfVm {
  sentBytes = 0;
  readonly asked: AskedPart[] = [];

  describe = () => Promise.reject(new Error('nobody asks'));

  async *read(part: AskedPart): AsyncGenerator<Message> {
    this.asked.push(part);
    const file = await open(source, 'r');
    try {
      const sha256 = await digestOfPart(file, part.offset, part.lengthBytes);
      if (sha256 !== part.haveSha256) {
        for await (const { offset, data } of runsOf(file, part.offset, part.lengthBytes)) {
          this.sentBytes += data.length;
          yield { offset, data: Buffer.from(data), sha256: '' };
        }
      }
      yield { offset: 0, data: NO_DATA, sha256 };
    } finally {
      await file.close();
    }
  }
}

const pull = async (from: SourceOfVm, stop = new AbortController().signal) => {
  const { size: sizeBytes, blocks } = await stat(source);
  const progress = { doneBytes: 0 };
  const file = { name: 'disks/x', sizeBytes, allocatedBytes: blocks * 512 };
  await pullFile({ source: from, file, path: target, progress, partBytes: PART_BYTES }, stop);
  return progress.doneBytes;
};

describe('a file that is pulled from another host', () => {
  it('is the same afterwards, holes included, and only what is not zero was sent', async () => {
    await aSparseFile();
    const honest = new HonestSource();
    await pull(honest);
    expect((await readFile(target)).equals(await readFile(source))).toBe(true);
    expect(honest.sentBytes).toBeLessThan(MIB);
    expect((await stat(target)).blocks * 512).toBeLessThan(2 * MIB);
  });

  it('is not sent again where it is there already', async () => {
    await aSparseFile();
    await pull(new HonestSource());
    const again = new HonestSource();
    await pull(again);
    expect(again.sentBytes).toBe(0);
    // What was broken off in the middle of the first part.
    const file = await open(target, 'r+');
    await file.truncate(PART_BYTES);
    await file.write(new Uint8Array(64 * KIB), 0, 64 * KIB, 128 * KIB);
    await file.close();
    const rest = new HonestSource();
    await pull(rest);
    expect((await readFile(target)).equals(await readFile(source))).toBe(true);
    expect(rest.asked.map(({ haveSha256 }) => haveSha256 !== '')).toEqual([true, false, false]);
  });

  it('tells how far it is by what is allocated', async () => {
    await aSparseFile();
    expect(await pull(new HonestSource())).toBe((await stat(source)).blocks * 512);
  });

  const run = (offset: number, bytes = 64 * KIB) => ({ offset, data: randomBytes(bytes), sha256: '' });
  const end = (sha256 = 'a'.repeat(64)) => ({ offset: 0, data: NO_DATA, sha256 });
  it.each<[string, string, (part: AskedPart) => Message[]]>([
    [
      'data before what was asked for',
      'host_fault',
      ({ offset }) => (offset === 0 ? [end(new PartDigest().hex())] : [run(0)]),
    ],
    ['data beyond what was asked for', 'host_fault', ({ offset, lengthBytes }) => [run(offset + lengthBytes - 1)]],
    ['data that goes back', 'host_fault', ({ offset }) => [run(offset + 128 * KIB), run(offset)]],
    ['data after the end', 'host_fault', ({ offset }) => [end(), run(offset)]],
    ['other data than its digest says', 'checksum_mismatch', ({ offset }) => [run(offset), end()]],
    ['no end', 'unavailable', ({ offset }) => [run(offset)]],
  ])('ends with a clear word when the other host sends %s', async (_what, code, messages) => {
    await aSparseFile();
    const hostile: SourceOfVm = {
      describe: () => Promise.reject(new Error('nobody asks')),
      read: async function* (part) {
        yield* messages(part);
      },
    };
    await expect(pull(hostile)).rejects.toMatchObject({ code });
  });

  it('is broken off when nobody wants it any more, and kept for the next time', async () => {
    await aSparseFile();
    const stop = new AbortController();
    const honest = new HonestSource();
    const stopping: SourceOfVm = {
      describe: honest.describe,
      read: async function* (part) {
        if (part.offset > 0) return stop.abort();
        yield* honest.read(part);
      },
    };
    await expect(pull(stopping, stop.signal)).rejects.toMatchObject({ code: 'unavailable' });
    const rest = new HonestSource();
    await pull(rest);
    expect(rest.sentBytes).toBe(ODD_BYTES);
  });
});

describe('a file of a VM', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['a symbolic link', (path) => symlink('/etc/passwd', path)],
    ['a hard link', (path) => link(source, path)],
  ])('is not read through %s that its process has laid', async (_what, lay) => {
    await writeFile(source, 'x');
    await lay(target);
    await expect(openVmFile(target)).rejects.toMatchObject({ code: 'host_fault' });
  });

  it('that is not there is none', async () => {
    expect(await openVmFile(target)).toBeNull();
  });
});
