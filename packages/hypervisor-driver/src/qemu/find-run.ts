import { existsSync } from 'node:fs';
import { endTpmOf } from '../firmware/swtpm.js';
import { endProcess } from '../process/end-process.js';
import { Pidfd } from '../process/pidfd.js';
import { findProcesses, isSameProcess, readCommandLine } from '../process/process-identity.js';
import { monitorChardev } from './build-arguments.js';
import type { RunFolder } from './run-folder.js';
import type { RunRecord } from './run-record.js';

/** A process is a run of the folder when it was given the folder's monitor socket; nothing else has that argument. */
export const isRunOf =
  (folder: RunFolder) =>
  (commandLine: readonly string[]): boolean =>
    commandLine.includes(monitorChardev(folder));

/**
 * The process of a record, or null when it has ended. A pid alone proves nothing: boot, start time and arguments must
 * agree as well, and are looked at while a pidfd already holds the process, so that it cannot be exchanged in between.
 * The caller closes the pidfd.
 */
export function openRecordedProcess(folder: RunFolder, record: RunRecord): Pidfd | null {
  if (record.process === null) return null;
  const pidfd = Pidfd.open(record.process.pid);
  if (pidfd === null) return null;
  const commandLine = readCommandLine(pidfd.pid);
  const isMeant = isRunOf(folder)(commandLine) && commandLine.includes(record.vmId);
  if (isMeant && isSameProcess(record.process)) return pidfd;
  pidfd.close();
  return null;
}

/**
 * Pids of what runs in the folder. With a record that names a process, it is that one or none, as the record is written
 * before the process is made; without one all processes are looked through.
 */
export function pidsOfFolder(folder: RunFolder, record: RunRecord | null): number[] {
  if (record === null || record.process === null) {
    return existsSync(folder.path) ? findProcesses(isRunOf(folder)) : [];
  }
  const pidfd = openRecordedProcess(folder, record);
  pidfd?.close();
  return pidfd === null ? [] : [pidfd.pid];
}

/** Ends whatever runs in the folder, without asking it; the TPM last, as QEMU may still speak to it. */
export async function endRunsOf(folder: RunFolder, record: RunRecord | null): Promise<void> {
  for (const pid of pidsOfFolder(folder, record)) await endProcess(pid, isRunOf(folder));
  if (existsSync(folder.path)) await endTpmOf(folder, record?.tpm);
}
