import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import type { MachineSpec } from '../driver.js';
import type { DiskChain, ImageDisk } from './arguments/root-disk-arguments.js';
import { readQcow2Header } from './qcow2-header.js';
import { pathRefusal } from './run-folder.js';

/** An image, and a template for each time a fork was made a template itself. Each file more makes reading slower. */
export const BASE_COUNT_MAX = 8;

/** What lies under a VM's root disk. On a pool whoever launches it says so; there a guest may have changed the header. */
export async function rootChainOf({ diskPath, rootBases, rootImage }: MachineSpec): Promise<DiskChain | ImageDisk> {
  if (rootImage !== undefined) return { image: rootImage };
  if (rootBases === undefined) return readDiskChain(diskPath);
  return { bases: rootBases, cache: await cacheOfFile(diskPath), isPooled: true };
}

const cacheOfFile = async (path: string): Promise<DiskChain['cache']> =>
  (await takesDirectIo(path)) ? 'direct' : 'page-cache';

/** What lies under a VM's disk, as the headers say: we wrote them, and a guest cannot change them. */
export async function readDiskChain(overlayPath: string): Promise<DiskChain> {
  const bases: string[] = [];
  let above = overlayPath;
  while (bases.length <= BASE_COUNT_MAX) {
    const { backingFile, hasExternalDataFile } = await readQcow2Header(above).catch((thrown: unknown) => {
      const message = `the VM's disk is not usable: ${(thrown as Error).message}`;
      throw new DomainError('host_fault', message, { cause: thrown });
    });
    const isUsable = !hasExternalDataFile && (backingFile === null || pathRefusal(backingFile) === null);
    if (!isUsable || (backingFile === null && bases.length === 0)) {
      throw new DomainError('host_fault', "the VM's disk is not an overlay of an image");
    }
    if (backingFile === null) return { bases, cache: await cacheOfFile(overlayPath) };
    bases.push(backingFile);
    above = backingFile;
  }
  throw new DomainError('host_fault', `the VM's disk rests on more than ${BASE_COUNT_MAX} files`);
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
