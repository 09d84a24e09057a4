import { mkdir, open, rm } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { pinVcpus } from '../cpu/pin-vcpus.js';
import type { LaunchSpec } from '../driver.js';
import { asHostFault } from '../process/as-host-fault.js';
import type { ExitWatch } from '../process/exit-watch.js';
import { Pidfd } from '../process/pidfd.js';
import { identityOf, type ProcessIdentity } from '../process/process-identity.js';
import { buildArguments } from './build-arguments.js';
import { connectWhenBound } from './connect-socket.js';
import { readDiskChain } from './disk-chain.js';
import { EXIT_DETAIL_BYTES_MAX } from './exit-reason.js';
import { pidsOfFolder } from './find-run.js';
import { assertLaunchable } from './launch-refusal.js';
import { MonitorLink } from './monitor-link.js';
import { QemuChild } from './qemu-child.js';
import type { QemuOptions } from './qemu-options.js';
import { QemuVm } from './qemu-vm.js';
import { QmpClient } from './qmp-client.js';
import { readTail } from './read-tail.js';
import { type RunFolder, runFolder } from './run-folder.js';
import { type RunRecord, readRunRecord, writeRunRecord } from './run-record.js';

/**
 * Driver port: HypervisorDriver.launch. The guest's first instruction comes last: process, record, monitor, pinning,
 * record again, then `cont`. A crash of the agent at any point leaves either a run that can be adopted or one that has
 * not begun and is ended by the next adopt (run-record.ts).
 *
 * QEMU is a detached child (setsid): it survives the agent, and while we live we learn its exit code. -daemonize would
 * hide both that and its last words.
 */
export async function launch(spec: LaunchSpec, options: QemuOptions, watch: ExitWatch): Promise<QemuVm> {
  assertLaunchable(spec);
  const folder = runFolder(spec.runDir);
  const disk = await readDiskChain(spec.diskPath);
  const record = await prepareFolder(folder, spec);
  let child: QemuChild | undefined;
  try {
    return await asHostFault('the VM cannot be launched', async () => {
      child = await spawnQemu(options.qemuPath, buildArguments(spec, disk), folder);
      return await bringUp({ spec, options, watch, folder, record, child });
    });
  } catch (thrown) {
    await child?.kill();
    await removeRunFiles(folder);
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
}

async function bringUp({ spec, options, watch, folder, record, child }: Launching): Promise<QemuVm> {
  const process = await identify(child, folder);
  const launching = { ...record, process };
  await writeRunRecord(folder, launching);
  const pidfd = Pidfd.open(process.pid);
  if (pidfd === null) throw await startFailure(folder, child);
  try {
    const session = await openMonitor(folder, options.launchTimeoutMs, child);
    const monitor = new MonitorLink(folder.monitorSocket, session);
    const vcpus = await monitor.execute('query-cpus-fast', undefined, options.commandTimeoutMs);
    const threadIds = vcpus.map(({ threadId }) => threadId);
    pinVcpus(threadIds, spec.pinnedCpus);
    const running: RunRecord = { ...launching, phase: 'running' };
    await writeRunRecord(folder, running);
    const { exitStatus } = child;
    const vm = new QemuVm({ folder, record: running, pidfd, monitor, exitStatus }, watch, options.commandTimeoutMs);
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
    process: null,
    isEndRequested: false,
    exit: null,
  };
  await asHostFault('the run folder cannot be made', async () => {
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    await removeRunFiles(folder);
    await writeRunRecord(folder, record);
  });
  return record;
}

/** All of a run but its console log. */
export async function removeRunFiles(folder: RunFolder): Promise<void> {
  const { monitorSocket, guestAgentSocket, processLog, record } = folder;
  const files = [monitorSocket, guestAgentSocket, processLog, `${record}.partial`, record];
  for (const file of files) await rm(file, { force: true });
}

async function spawnQemu(qemuPath: string, args: readonly string[], folder: RunFolder): Promise<QemuChild> {
  const log = await open(folder.processLog, 'a', 0o600);
  try {
    return new QemuChild(qemuPath, args, log.fd);
  } finally {
    await log.close();
  }
}

async function identify(child: QemuChild, folder: RunFolder): Promise<ProcessIdentity> {
  if (child.pid === undefined) {
    const { message } = await child.spawnError;
    throw new DomainError('host_fault', `QEMU cannot be started: ${message}`);
  }
  return identityOf(child.pid) ?? Promise.reject(await startFailure(folder, child));
}

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
