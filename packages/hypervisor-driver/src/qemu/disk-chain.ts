import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import type { DiskChain } from './build-arguments.js';
import { readQcow2Header } from './qcow2-header.js';
import { pathRefusal } from './run-folder.js';

/** What lies under a VM's disk, as its own header says: we wrote it, and a guest cannot change it. */
export async function readDiskChain(overlayPath: string): Promise<DiskChain> {
  const { backingFile, hasExternalDataFile } = await readQcow2Header(overlayPath).catch((thrown: unknown) => {
    throw new DomainError('host_fault', `the VM's disk is not usable: ${(thrown as Error).message}`, { cause: thrown });
  });
  if (backingFile === null || hasExternalDataFile || pathRefusal(backingFile) !== null) {
    throw new DomainError('host_fault', "the VM's disk is not an overlay of an image");
  }
  return { imagePath: backingFile, cache: (await takesDirectIo(overlayPath)) ? 'direct' : 'page-cache' };
}

/** open(2): EINVAL when the file system does not support O_DIRECT. */
export async function takesDirectIo(path: string): Promise<boolean> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_DIRECT);
    await file.close();
    return true;
  } catch {
    return false;
  }
}
