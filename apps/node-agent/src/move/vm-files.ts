import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { FIRMWARE_STATE_FILES } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import type { VmRecord } from '../vm/vm-record.js';

export const diskName = (volumeId: string): string => `disks/${volumeId}.qcow2`;
export const FIRMWARE_NAMES: ReadonlyMap<string, string> = new Map(
  FIRMWARE_STATE_FILES.map((file) => [`firmware/${file}`, file]),
);

/** All that a VM has on its host, by the names that hosts use among themselves. The names alone decide which files are meant. */
export function filesOfVm(folders: StateFolders, { vmId, volumes }: VmRecord): ReadonlyMap<string, string> {
  const disks = Object.entries(volumes).filter(([, { isComplete }]) => isComplete);
  return new Map([
    ...disks.map(([volumeId]) => [diskName(volumeId), folders.diskOf(vmId, volumeId)] as const),
    ...[...FIRMWARE_NAMES].map(([name, file]) => [name, join(folders.firmwareOf(vmId), file)] as const),
  ]);
}

/**
 * Opens one of them. A VM's own user writes to some, and in the folder of its TPM could lay what it likes: a link, also a hard
 * one, is not followed to what is not the VM's. Null: it is not there.
 */
export async function openVmFile(path: string): Promise<FileHandle | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return null;
      throw new DomainError('host_fault', `a file of the VM cannot be opened: ${thrown.code}`, { cause: thrown });
    },
  );
  if (file === null) return null;
  const { nlink, ...facts } = await file.stat().then((found) => ({ nlink: found.nlink, isFile: found.isFile() }));
  if (facts.isFile && nlink === 1) return file;
  await file.close();
  throw new DomainError('host_fault', 'a file of the VM is a link or no file: its process may have put it there');
}
