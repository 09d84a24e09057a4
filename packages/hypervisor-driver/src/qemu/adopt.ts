import { DomainError } from '@kvorum/schema';
import type { PastExit } from '../driver.js';
import { openTpm } from '../firmware/swtpm.js';
import type { Cgroups } from '../isolation/cgroups.js';
import { asHostFault } from '../process/as-host-fault.js';
import type { ExitWatch } from '../process/exit-watch.js';
import type { Pidfd } from '../process/pidfd.js';
import { deriveExit } from './exit-reason.js';
import { endRunsOf, openRecordedProcess, pidsOfFolder } from './find-run.js';
import { readLastWords } from './last-words.js';
import { removeRunFiles } from './launch.js';
import { MonitorLink } from './monitor-link.js';
import type { QemuOptions } from './qemu-options.js';
import { QemuVm } from './qemu-vm.js';
import { type RunFolder, runFolder, runFolderRefusal } from './run-folder.js';
import { type RunRecord, readRunRecord } from './run-record.js';

/** Driver port: HypervisorDriver.adopt. */
export async function adopt(
  vmId: string,
  runDir: string,
  options: QemuOptions,
  watch: ExitWatch,
  cgroups: Cgroups | null,
): Promise<QemuVm | null> {
  const folder = checkedFolder(runDir);
  const record = await readRunRecord(folder);
  const pidfd = record === null ? null : openAdoptable(folder, record, vmId);
  if (record === null || pidfd === null) {
    await endRunsOf(folder, record);
    return null;
  }
  const monitor = new MonitorLink(folder.monitorSocket);
  const tpm = record.tpm == null ? null : openTpm(folder, record.tpm);
  const vm = new QemuVm(
    { folder, record, pidfd, tpm, monitor, exitStatus: null, cgroups, vmUids: options.vmUids },
    watch,
    options,
  );
  try {
    await vm.checkMonitor(options.adoptTimeoutMs);
    await vm.letGo();
  } catch (thrown) {
    // It ended just now. Any other failure is no reason to end a guest that may be well.
    if ((thrown as DomainError).code === 'guest_fault') return null;
  }
  return vm;
}

/** Driver port: HypervisorDriver.sweep, for a run that no QemuVm of this driver holds. */
export async function sweep(vmId: string, runDir: string, cgroups: Cgroups | null): Promise<void> {
  const folder = checkedFolder(runDir);
  await endRunsOf(folder, await readRunRecord(folder));
  await asHostFault('the run folder cannot be cleaned', () => removeRunFiles(folder));
  await cgroups?.remove(vmId);
}

/** Driver port: HypervisorDriver.readExit. */
export async function readExit(vmId: string, runDir: string, cgroups: Cgroups | null): Promise<PastExit | null> {
  const folder = checkedFolder(runDir);
  const record = await readRunRecord(folder);
  if (record === null || record.vmId !== vmId || pidsOfFolder(folder, record).length > 0) return null;
  // A run that was not confirmed has not ended: it has never begun.
  if (record.phase !== 'running') return null;
  const exit =
    record.exit ??
    deriveExit({
      shutdownReason: null,
      ...(await readLastWords(folder)),
      isEndRequested: record.isEndRequested,
      status: null,
      oomKillCount: (await cgroups?.readOomKillCount(vmId)) ?? 0,
    });
  return { epoch: record.epoch, exit };
}

function openAdoptable(folder: RunFolder, record: RunRecord, vmId: string): Pidfd | null {
  return record.phase === 'running' && record.vmId === vmId ? openRecordedProcess(folder, record) : null;
}

function checkedFolder(runDir: string): RunFolder {
  const refusal = runFolderRefusal(runDir);
  if (refusal === null) return runFolder(runDir);
  throw new DomainError('invalid_request', `runDir ${refusal}`, {
    details: { fields: [{ field: 'runDir', message: refusal }] },
  });
}
