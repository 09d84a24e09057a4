import { execFile } from 'node:child_process';
import { lstat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError, GIB, MIB } from '@kvorum/schema';
import type { FlattenedDisk, FlattenWatch } from '../driver.js';
import { TOOL_ENVIRONMENT } from '../process/run-tool.js';
import { BASE_COUNT_MAX } from './disk-chain.js';
import type { QemuImg } from './inspect-image.js';
import { readQcow2Header } from './qcow2-header.js';
import { pathRefusal } from './run-folder.js';

/** 1 TiB at 50 MB/s. */
const FLATTEN_MS_MAX = 6 * 3_600_000;
const ADDRESS_SPACE_BYTES_MAX = 4 * GIB;
const OPEN_FILES_MAX = 64;
const WORDS_LENGTH_MAX = 500;
/** st_blocks counts these (stat(2)). */
const STAT_BLOCK_BYTES = 512;
/** Of the file system: VMs write to it as well, and stand still when there is none. */
const KEPT_FREE_SHARE = 0.1;
/** Tables of a new file, beside what its sources take. */
const TABLE_SHARE = 0.01;
const TABLE_BYTES = 16 * MIB;
/** `qemu-img -p` (qemu-progress.c): "    (12.34/100%)" and a carriage return. */
const PROGRESS = /\((\d+\.\d+)\/100%\)/g;

/** Driver port: HypervisorDriver.flattenDisk. All files are named by us, each with its format: no header is followed. */
export async function flattenDisk(qemuImg: QemuImg, disk: FlattenedDisk, watch: FlattenWatch): Promise<void> {
  const { path, imagePath, target } = disk;
  for (const given of [path, imagePath, target]) {
    const refusal = given === null ? null : pathRefusal(given);
    if (refusal !== null) throw new DomainError('invalid_request', `a path of the disk ${refusal}`);
  }
  const files = [path, ...(await basesOf(disk))];
  const bytesMax = await assertRoom(files, target);
  const node = files.reduceRight<object | null>(
    (backing, filename) => ({ driver: 'qcow2', file: { driver: 'file', filename }, backing }),
    null,
  );
  const limits = [
    `--as=${ADDRESS_SPACE_BYTES_MAX}`,
    `--cpu=${FLATTEN_MS_MAX / 1000}`,
    `--fsize=${bytesMax}`,
    `--nofile=${OPEN_FILES_MAX}`,
    '--core=0',
  ];
  const convert = [qemuImg.path, 'convert', '-p', '-O', 'qcow2', `json:${JSON.stringify(node)}`, target];
  // The kernel ends it with us (PR_SET_PDEATHSIG, prctl(2)): nobody is left who writes.
  const command = [...limits, '--', 'setpriv', '--pdeathsig', 'KILL', '--no-new-privs', ...convert];
  await runConvert(command, watch);
}

/** By our own reading of the headers. What lies under the disk no VM can write to. */
async function basesOf({ path, imagePath, sizeBytesMax }: FlattenedDisk): Promise<string[]> {
  const header = await readQcow2Header(path);
  if (header.hasExternalDataFile) throw unfit('it keeps its data in another file');
  if (header.isEncrypted) throw unfit('it is encrypted');
  if (header.isCorrupt) throw unfit('it is marked as corrupt');
  if (header.backingFile !== imagePath) throw unfit('it rests on another file than it is to');
  if (header.virtualSizeBytes > sizeBytesMax)
    throw unfit(`it has ${header.virtualSizeBytes} bytes, more than it is to`);
  const bases: string[] = [];
  for (let at = imagePath; at !== null && bases.length < BASE_COUNT_MAX; ) {
    bases.push(at);
    at = (await readQcow2Header(at)).backingFile;
  }
  return bases;
}

/** Returns what the new file may take at the most. */
async function assertRoom(files: readonly string[], target: string): Promise<number> {
  let allocatedBytes = 0;
  for (const file of files) {
    const found = await lstat(file);
    if (!found.isFile()) throw unfit('it is not a file');
    allocatedBytes += found.blocks * STAT_BLOCK_BYTES;
  }
  const neededBytes = Math.ceil(allocatedBytes * (1 + TABLE_SHARE)) + TABLE_BYTES;
  const { bsize, blocks, bavail } = await statfs(dirname(target));
  const spareBytes = bavail * bsize - blocks * bsize * KEPT_FREE_SHARE;
  if (neededBytes <= spareBytes) return neededBytes;
  throw new DomainError('no_capacity', `the host has no room to publish the disk: it may take ${neededBytes} bytes`, {
    details: { neededBytes, spareBytes: Math.max(0, Math.floor(spareBytes)) },
  });
}

function runConvert(command: readonly string[], { signal, onProgress }: FlattenWatch): Promise<void> {
  return new Promise((resolve, reject) => {
    const bounds = { timeout: FLATTEN_MS_MAX, killSignal: 'SIGKILL', maxBuffer: MIB } as const;
    const options = { ...bounds, env: TOOL_ENVIRONMENT, signal };
    const child = execFile('prlimit', command, options, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      if (signal.aborted) return reject(new DomainError('cancelled', 'the publishing of a disk was broken off'));
      const words = stderr.trim().slice(0, WORDS_LENGTH_MAX) || error.message.slice(0, WORDS_LENGTH_MAX);
      if (/No space left on device|File too large/.test(words)) {
        return reject(new DomainError('no_capacity', 'the host has no room to publish the disk'));
      }
      if (/Failed to get .*lock/.test(words)) {
        return reject(new DomainError('conflict_state', 'the disk is open in another process: stop the VM'));
      }
      reject(new DomainError('host_fault', `the disk cannot be read: ${words}`));
    });
    child.stdout?.on('data', (text: string) => {
      const percent = [...String(text).matchAll(PROGRESS)].at(-1)?.[1];
      if (percent !== undefined) onProgress(Number(percent) / 100);
    });
  });
}

const unfit = (what: string): DomainError => new DomainError('image_invalid', `the disk cannot be published: ${what}`);
