import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';

/** Fills one MiB of a qcow2 file with a byte, as a guest that flushes does. */
export function writeMib(path: string, mib: number, byte: number): void {
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -q -P ${byte} ${mib}M 1M`, '-c', 'flush', path]);
}

/** What is seen through a qcow2 file: the byte that fills each MiB. Throws where one is not filled by one byte. */
export function readMibs(path: string): number[] {
  const raw = join(tmpdir(), `kvorum-raw-${process.pid}`);
  try {
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, raw]);
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
