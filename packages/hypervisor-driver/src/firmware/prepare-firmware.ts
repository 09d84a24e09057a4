import { existsSync } from 'node:fs';
import { chmod, mkdir, open } from 'node:fs/promises';
import { DomainError, type VmFirmware } from '@kvorum/schema';
import type { LaunchSpec } from '../driver.js';
import type { Cgroups } from '../isolation/cgroups.js';
import { openSockets, vmUid } from '../isolation/vm-user.js';
import type { QemuOptions } from '../qemu/qemu-options.js';
import type { RunFolder } from '../qemu/run-folder.js';
import { type RunRecord, writeRunRecord } from '../qemu/run-record.js';
import { assertOvmf, ensureVariables, ovmfFiles } from './ovmf.js';
import { startSwtpm } from './swtpm.js';

/** Throws `conflict_state` with the remedy when this host lacks what the firmware needs. */
export function assertFirmware(firmware: VmFirmware, { ovmfFolder, swtpmPath }: QemuOptions): void {
  assertOvmf(ovmfFolder, firmware);
  if (firmware.tpm === 'none' || existsSync(swtpmPath)) return;
  throw new DomainError(
    'conflict_state',
    `this host cannot emulate a TPM: ${swtpmPath} is needed; install the package swtpm`,
  );
}

export interface FirmwareLaunch {
  readonly spec: LaunchSpec;
  readonly options: QemuOptions;
  readonly folder: RunFolder;
  readonly record: RunRecord;
  readonly cgroups: Cgroups | null;
}

/** Its owner may write, everybody may pass through: the VM's user reaches its files and cannot exchange them. */
const PASSAGE_MODE = 0o711;

/**
 * Makes what the VM's firmware needs before QEMU starts: its variables, and its TPM's process, under the VM's user and limits.
 * Returns the record with that process, written: from then on every way of ending the run ends it too.
 */
export async function prepareFirmware({ spec, options, folder, record, cgroups }: FirmwareLaunch): Promise<RunRecord> {
  const { kind, tpm, secureBoot } = spec.hardware.firmware;
  if (kind === 'bios' && tpm === 'none') return record;
  const uid = options.vmUids === null ? null : vmUid(spec.vmId, options.vmUids);
  await mkdir(spec.firmware.folder, { recursive: true });
  await chmod(spec.firmware.folder, PASSAGE_MODE);
  if (kind === 'uefi') await ensureVariables(ovmfFiles(options.ovmfFolder, { secureBoot }), spec.firmware.folder, uid);
  if (tpm === 'none') return record;
  return withTpm({ spec, options, folder, record, cgroups }, uid);
}

async function withTpm(
  { spec, options, folder, record, cgroups }: FirmwareLaunch,
  uid: number | null,
): Promise<RunRecord> {
  if (uid !== null) await openSockets(folder, uid);
  const log = await open(folder.processLog, 'a', 0o600);
  try {
    const tpm = await startSwtpm({
      swtpmPath: options.swtpmPath,
      folder,
      stateFolder: spec.firmware.folder,
      uid,
      logFd: log.fd,
    });
    const started = { ...record, tpm };
    await writeRunRecord(folder, started);
    await cgroups?.add(spec.vmId, tpm.pid);
    return started;
  } finally {
    await log.close();
  }
}
