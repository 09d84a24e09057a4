import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import type { VolumeSource } from '../src/index.js';

/** How QEMU's tools open what a VM's process would. */
export function toolArguments(source: VolumeSource): string[] {
  if (source.kind === 'files') return ['-f', 'qcow2', source.path];
  if (source.kind === 'device') return ['-f', 'raw', source.path];
  const { pool, namespace, image, confPath, user, keyPath } = source;
  const place = { driver: 'rbd', pool, image, conf: confPath, user, 'key-secret': 'key' };
  const options = Object.entries({ ...place, ...(namespace === null ? {} : { namespace }) });
  return [
    ...['--object', `secret,id=key,format=base64,file=${keyPath}`, '--image-opts'],
    `driver=raw,${options.map(([name, value]) => `file.${name}=${value}`).join(',')}`,
  ];
}

/** Fills one MiB of a volume with a byte, as a guest that flushes does. */
export function writeMib(source: VolumeSource, mib: number, byte: number): void {
  execFileSync('qemu-io', ['-c', `write -q -P ${byte} ${mib}M 1M`, '-c', 'flush', ...toolArguments(source)]);
}

/** What is seen through a volume: the byte that fills each MiB. Throws where one is not filled by one byte. */
export function readMibs(source: VolumeSource): number[] {
  const raw = join(tmpdir(), `kvorum-raw-${process.pid}`);
  try {
    execFileSync('qemu-img', ['convert', '-O', 'raw', ...toolArguments(source), raw]);
    const content = readFileSync(raw);
    return Array.from({ length: content.length / MIB }, (_, mib) => {
      const part = content.subarray(mib * MIB, (mib + 1) * MIB);
      const byte = part[0]!;
      if (!part.equals(Buffer.alloc(MIB, byte))) throw new RangeError(`MiB ${mib} is not filled by one byte`);
      return byte;
    });
  } finally {
    rmSync(raw, { force: true });
  }
}
