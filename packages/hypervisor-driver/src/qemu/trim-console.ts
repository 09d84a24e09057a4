import { open } from 'node:fs/promises';
import { MIB } from '@kvorum/schema';
import { callFailure, lastErrno, libc } from '../sys/libc.js';
import { ERRNO, LINUX_NUMBERS } from '../sys/linux-abi.js';

/** What a guest's console may occupy of the host's disk; older output is given back. */
export const CONSOLE_KEPT_BYTES = 16 * MIB;
/** fallocate(2) frees whole blocks only; 1 MiB steps are a multiple of every block size. */
const STEP_BYTES = MIB;

/**
 * Frees the blocks of a console log's older part. A hole is punched and the size kept: QEMU appends undisturbed, and
 * every offset a reader knows stays right; the freed part reads as zeros. A guest that prints without end thus cannot
 * fill the host's disk. Does nothing on file systems without holes.
 */
export async function trimConsole(path: string, keptBytes = CONSOLE_KEPT_BYTES): Promise<void> {
  const file = await open(path, 'r+').catch(() => null);
  // No log yet, or removed: nothing to trim.
  if (file === null) return;
  try {
    const { size } = await file.stat();
    const freedBytes = Math.floor((size - keptBytes) / STEP_BYTES) * STEP_BYTES;
    if (freedBytes <= 0) return;
    const { FALLOC_FL_PUNCH_HOLE, FALLOC_FL_KEEP_SIZE } = LINUX_NUMBERS;
    if (libc().fallocate(file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, freedBytes) === 0) return;
    const errno = lastErrno();
    if (errno !== ERRNO.EOPNOTSUPP) throw callFailure('trimming a console log', errno);
  } finally {
    await file.close();
  }
}
