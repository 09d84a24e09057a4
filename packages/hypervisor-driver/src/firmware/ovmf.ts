import { constants, existsSync } from 'node:fs';
import { chmod, chown, copyFile, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, type VmFirmware } from '@kvorum/schema';
import { asHostFault } from '../process/as-host-fault.js';

/** Where Debian's package `ovmf` lays its files. */
export const OVMF_FOLDER = '/usr/share/OVMF';

/** One build of OVMF: its code, which many VMs read, and the variables that each VM starts with a copy of. */
export interface OvmfFiles {
  readonly code: string;
  readonly variables: string;
  /** Name of the VM's copy. Differs per build: variables of one mean nothing to the other. */
  readonly copyName: string;
}

const UEFI_STORE = 'uefi-variables.fd';
const SECURE_BOOT_STORE = 'secure-boot-variables.fd';
/** Of all builds. */
export const VARIABLE_STORES = [UEFI_STORE, SECURE_BOOT_STORE] as const;

/** The builds of 4 MiB, which edk2 recommends. The one for Secure Boot keeps its variables behind SMM; `.ms` holds Microsoft's keys. */
export function ovmfFiles(folder: string, { secureBoot }: Pick<VmFirmware, 'secureBoot'>): OvmfFiles {
  return secureBoot
    ? {
        code: join(folder, 'OVMF_CODE_4M.secboot.fd'),
        variables: join(folder, 'OVMF_VARS_4M.ms.fd'),
        copyName: SECURE_BOOT_STORE,
      }
    : {
        code: join(folder, 'OVMF_CODE_4M.fd'),
        variables: join(folder, 'OVMF_VARS_4M.fd'),
        copyName: UEFI_STORE,
      };
}

export const isOvmfThere = (folder: string, secureBoot: boolean): boolean => {
  const { code, variables } = ovmfFiles(folder, { secureBoot });
  return existsSync(code) && existsSync(variables);
};

const PRIVATE_FILE_MODE = 0o600;

/**
 * Gives the VM its variables in `folder`, or leaves those it has. Written under a temporary name, synced and renamed, so that
 * a crash leaves either none or whole ones: half a variable store would not start. `uid`: who its process runs as.
 */
export async function ensureVariables(files: OvmfFiles, folder: string, uid: number | null): Promise<void> {
  const path = join(folder, files.copyName);
  await asHostFault("the VM's UEFI variables cannot be made", async () => {
    if (!existsSync(path)) await copyDurably(files.variables, path);
    await chmod(path, PRIVATE_FILE_MODE);
    if (uid !== null) await chown(path, uid, uid);
  });
}

async function copyDurably(from: string, to: string): Promise<void> {
  const temporary = `${to}.partial`;
  await rm(temporary, { force: true });
  await copyFile(from, temporary, constants.COPYFILE_EXCL);
  const file = await open(temporary, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, to);
}

/** Throws `conflict_state` with the remedy: another host may have what this one lacks. */
export function assertOvmf(folder: string, { kind, secureBoot }: VmFirmware): void {
  if (kind !== 'uefi' || isOvmfThere(folder, secureBoot)) return;
  const { code, variables } = ovmfFiles(folder, { secureBoot });
  throw new DomainError(
    'conflict_state',
    `this host has no UEFI firmware${secureBoot ? ' with Secure Boot' : ''}: ${code} and ${variables} are needed; install the package ovmf`,
  );
}
