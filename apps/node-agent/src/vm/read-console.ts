import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CONSOLE_LOG_NAME } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';

export interface ConsolePart {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * At most `maxBytes` of what the guest wrote on its console, from `offset`, or the end of it when null. A log that is
 * not there yet is empty. Only a regular file is read, never through a link: the hypervisor's process, which a guest
 * might have taken over, can write to that folder.
 */
export async function readConsole(runDir: string, offset: number | null, maxBytes: number): Promise<ConsolePart> {
  let file: FileHandle;
  try {
    file = await open(join(runDir, CONSOLE_LOG_NAME), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return { data: Buffer.alloc(0), offset: 0, sizeBytes: 0 };
    throw new DomainError('host_fault', 'the console log of the VM cannot be read', { cause: thrown });
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new DomainError('host_fault', 'the console log of the VM is not a file');
    const start = Math.min(offset ?? Math.max(0, status.size - maxBytes), status.size);
    const buffer = Buffer.alloc(Math.min(maxBytes, status.size - start));
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, start);
    return { data: buffer.subarray(0, bytesRead), offset: start, sizeBytes: status.size };
  } finally {
    await file.close();
  }
}
