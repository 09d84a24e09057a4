import { mkdir, rm } from 'node:fs/promises';
import { DomainError, GIB, guestNodesOf, isMemoryFixed } from '@kvorum/schema';
import { bindThreads } from '../cpu/process-threads.js';
import type { LaunchSpec } from '../driver.js';
import { assertFirmware, prepareFirmware } from '../firmware/prepare-firmware.js';
import { endTpmOf, openTpm } from '../firmware/swtpm.js';
import type { Cgroups } from '../isolation/cgroups.js';
import { limitsOf } from '../isolation/vm-limits.js';
import { closeSockets } from '../isolation/vm-user.js';
import { asHostFault } from '../process/as-host-fault.js';
import type { ExitWatch } from '../process/exit-watch.js';
import { Pidfd } from '../process/pidfd.js';
import { identityOf, type ProcessIdentity } from '../process/process-identity.js';
import type { CpuPlan } from './arguments/cpu-arguments.js';
import { connectWhenBound } from './connect-socket.js';
import { hotMemoryRoom } from './devices/device-plan.js';
import type { Ask } from './devices/machine-change.js';
import { rootChainOf } from './disk-chain.js';
import { EXIT_DETAIL_BYTES_MAX } from './exit-reason.js';
import { pidsOfFolder } from './find-run.js';
import { MonitorLink } from './monitor-link.js';
import type { QemuChild } from './qemu-child.js';
import type { QemuOptions } from './qemu-options.js';
import { QemuVm } from './qemu-vm.js';
import { QmpClient } from './qmp-client.js';
import { readTail } from './read-tail.js';
import { type RunFolder, runFolder } from './run-folder.js';
import { type RunRecord, readRunRecord, writeRunRecord } from './run-record.js';
import { makeSerialLine } from './serial-line.js';
import { spawnQemu } from './spawn-qemu.js';
import { type ArrivingGuest, receiveGuest } from './templates/receive-guest.js';

/**
 * Driver port: HypervisorDriver.launch. The guest's first instruction comes last: process, record, monitor, pinning,
 * record again, then `cont`. A crash of the agent at any point leaves either a run that can be adopted or one that has
 * not begun and is ended by the next adopt (run-record.ts).
 *
 * QEMU is a detached child (setsid): it survives the agent, and while we live we learn its exit code. -daemonize would
 * hide both that and its last words.
 *
 * `spec` was checked before (launch-refusal.ts), and `cpu` was planned for it.
 */
export async function launch(
  spec: LaunchSpec,
  options: QemuOptions,
  watch: ExitWatch,
  cgroups: Cgroups | null,
  cpu: CpuPlan,
  guest: ArrivingGuest | null = null,
): Promise<QemuVm> {
  assertFirmware(spec.hardware.firmware, options);
  const folder = runFolder(spec.runDir);
  const disk = guest?.noDisk ?? (await rootChainOf(spec));
  const record = await prepareFolder(folder, spec);
  let child: QemuChild | undefined;
  try {
    return await asHostFault('the VM cannot be launched', async () => {
      await cgroups?.create(spec.vmId, limitsOf(spec));
      const withTpm = await prepareFirmware({ spec, options, folder, record, cgroups });
      child = await spawnQemu({ spec, disk, cpu, folder, options, guest });
      return await bringUp({ spec, options, watch, folder, record: withTpm, child, cgroups, guest });
    });
  } catch (thrown) {
    await child?.kill();
    await endTpmOf(folder, (await readRunRecord(folder))?.tpm);
    await removeRunFiles(folder);
    await cgroups?.remove(spec.vmId);
    throw thrown;
  }
}

interface Launching {
  readonly spec: LaunchSpec;
  readonly options: QemuOptions;
  readonly watch: ExitWatch;
  readonly folder: RunFolder;
  readonly record: RunRecord;
  readonly child: QemuChild;
  readonly cgroups: Cgroups | null;
  readonly guest: ArrivingGuest | null;
}

async function bringUp({ spec, options, watch, folder, record, child, cgroups, guest }: Launching): Promise<QemuVm> {
  const process = await identify(child, folder);
  // Its memory is charged to whoever it belonged to when touched: the sooner the better.
  await cgroups?.add(spec.vmId, process.pid);
  const launching = { ...record, process };
  await writeRunRecord(folder, launching);
  const pidfd = Pidfd.open(process.pid);
  if (pidfd === null) throw await startFailure(folder, child);
  try {
    const session = await openMonitor(folder, launchTimeoutOf(spec, options), child);
    const monitor = new MonitorLink(folder.monitorSocket, session);
    // It has opened its disks before it listens.
    await rm(folder.keys, { recursive: true, force: true });
    if (options.vmUids !== null) await closeSockets(folder);
    const vcpus = await monitor.execute('query-cpus-fast', undefined, options.commandTimeoutMs);
    const threadIds = vcpus.map(({ threadId }) => threadId);
    bindThreads(process.pid, threadIds, spec.placement);
    const ask: Ask = (name, args) => monitor.execute(name, args, options.commandTimeoutMs);
    if (guest !== null) await receiveGuest(ask, spec, guest, options.launchTimeoutMs);
    // A maker's run is never confirmed: whatever a crash leaves of it is ended.
    const running: RunRecord = guest?.role === 'maker' ? launching : { ...launching, phase: 'running' };
    await writeRunRecord(folder, running);
    const { exitStatus } = child;
    const tpm = running.tpm == null ? null : openTpm(folder, running.tpm);
    const vm = new QemuVm(
      { folder, record: running, pidfd, tpm, monitor, exitStatus, cgroups, vmUids: options.vmUids },
      watch,
      options,
    );
    return await started(vm, spec);
  } catch (thrown) {
    pidfd.close();
    throw thrown;
  }
}

async function started(vm: QemuVm, spec: LaunchSpec): Promise<QemuVm> {
  try {
    if (!spec.isPaused) await vm.resume();
    return vm;
  } catch (thrown) {
    await vm.release();
    throw thrown;
  }
}

async function prepareFolder(folder: RunFolder, spec: LaunchSpec): Promise<RunRecord> {
  const earlier = await readRunRecord(folder);
  if (pidsOfFolder(folder, earlier).length > 0) {
    throw new DomainError('conflict_state', 'a process of this VM runs already: adopt or sweep it first');
  }
  const record: RunRecord = {
    phase: 'launching',
    vmId: spec.vmId,
    epoch: spec.epoch,
    accelerator: spec.accelerator,
    memoryBytes: spec.memoryBytes,
    backendBytes: [...guestNodesOf(spec).map((node) => node.memoryBytes), ...hotMemoryBytes(spec)],
    process: null,
    ...(spec.hardware.firmware.tpm === 'none' ? { tpm: null } : {}),
    isEndRequested: false,
    exit: null,
  };
  await asHostFault('the run folder cannot be made', async () => {
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    // QEMU is gone; its TPM may be about to go.
    if (earlier !== null) await endTpmOf(folder, earlier.tpm);
    await removeRunFiles(folder);
    await mkdir(folder.sockets, { mode: 0o700 });
    await makeSerialLine(folder);
    await writeRunRecord(folder, record);
  });
  return record;
}

/** The region into which memory can be plugged is the guest's as well. */
function hotMemoryBytes({ memoryBytes, hardware }: LaunchSpec): number[] {
  const room = hotMemoryRoom(memoryBytes, hardware.devices.maxMemoryBytes);
  return room === 0 ? [] : [room];
}

/** All of a run but its console log. */
export async function removeRunFiles(folder: RunFolder): Promise<void> {
  const { sockets, keys, processLog, record, screenshot } = folder;
  for (const each of [sockets, keys]) await rm(each, { recursive: true, force: true });
  for (const file of [screenshot, processLog, `${record}.partial`, record]) await rm(file, { force: true });
}

async function identify(child: QemuChild, folder: RunFolder): Promise<ProcessIdentity> {
  if (child.pid === undefined) {
    const { message } = await child.spawnError;
    throw new DomainError('host_fault', `QEMU cannot be started: ${message}`);
  }
  return identityOf(child.pid) ?? Promise.reject(await startFailure(folder, child));
}

/** What is taken at the start is zeroed before the monitor speaks: a slow host does a GiB in 8 s. */
function launchTimeoutOf({ memoryBytes, hardware: { memory } }: LaunchSpec, { launchTimeoutMs }: QemuOptions): number {
  const isTaken = memory.isPreallocated || isMemoryFixed(memory);
  return launchTimeoutMs + (isTaken ? Math.ceil(memoryBytes / PREALLOC_BYTES_PER_MS) : 0);
}

const PREALLOC_BYTES_PER_MS = GIB / 8_000;

async function openMonitor(folder: RunFolder, timeoutMs: number, child: QemuChild): Promise<QmpClient> {
  const giveUpAtMs = performance.now() + timeoutMs;
  const ended = new DomainError('host_fault', 'QEMU ended while it was starting');
  try {
    const socket = await connectWhenBound(folder.monitorSocket, timeoutMs, () =>
      child.status === null ? null : ended,
    );
    return await QmpClient.open(socket, Math.max(1, giveUpAtMs - performance.now()));
  } catch (thrown) {
    // The socket closes a moment before the exit is known: let the process's own words win.
    await new Promise((resolve) => setTimeout(resolve, EXIT_SETTLE_MS));
    throw child.status === null ? thrown : await startFailure(folder, child);
  }
}

const EXIT_SETTLE_MS = 20;

async function startFailure(folder: RunFolder, child: QemuChild): Promise<DomainError> {
  const words = (await readTail(folder.processLog, EXIT_DETAIL_BYTES_MAX)).trim();
  const exit = child.status === null ? '' : ` (code ${child.status.code}, signal ${child.status.signal})`;
  return new DomainError('host_fault', `QEMU ended while it was starting${exit}: ${words || 'it said nothing'}`);
}
