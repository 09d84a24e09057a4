import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { pinVcpus } from '../cpu/pin-vcpus.js';
import type { LaunchSpec } from '../driver.js';
import { endProcess } from '../process/end-process.js';
import type { ExitWatch } from '../process/exit-watch.js';
import { Pidfd } from '../process/pidfd.js';
import { identityOf, type ProcessIdentity } from '../process/process-identity.js';
import { TOOL_ENVIRONMENT } from '../process/run-tool.js';
import { buildArguments } from './build-arguments.js';
import { connectWhenBound } from './connect-socket.js';
import { readDiskChain } from './disk-chain.js';
import { EXIT_DETAIL_BYTES_MAX, type ExitStatus } from './exit-reason.js';
import { isRunOf, pidsOfFolder } from './find-run.js';
import { assertLaunchable } from './launch-refusal.js';
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
  const child = await spawnQemu(options.qemuPath, buildArguments(spec, disk), folder);
  try {
    return await bringUp({ spec, options, watch, folder, record, child });
  } catch (thrown) {
    if (child.pid !== undefined) await endProcess(child.pid, isRunOf(folder));
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
  readonly child: ChildProcess;
}

async function bringUp({ spec, options, watch, folder, record, child }: Launching): Promise<QemuVm> {
  const status = exitStatusOf(child);
  const process = await identify(child, folder, status);
  const launching = { ...record, process };
  await writeRunRecord(folder, launching);
  const pidfd = Pidfd.open(process.pid);
  if (pidfd === null) throw await startFailure(folder, status);
  try {
    const monitor = await openMonitor(folder, options.launchTimeoutMs, status);
    const vcpus = await monitor.execute('query-cpus-fast', undefined, options.commandTimeoutMs);
    const threadIds = vcpus.map(({ threadId }) => threadId);
    pinVcpus(threadIds, spec.pinnedCpus);
    const running: RunRecord = { ...launching, phase: 'running' };
    await writeRunRecord(folder, running);
    const exitStatus = status.promise;
    const vm = new QemuVm({ folder, record: running, pidfd, monitor, exitStatus }, watch, options.commandTimeoutMs);
    if (!spec.isPaused) await vm.resume();
    return vm;
  } catch (thrown) {
    pidfd.close();
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
  try {
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    await removeRunFiles(folder);
    await writeRunRecord(folder, record);
  } catch (thrown) {
    throw new DomainError('host_fault', `the run folder cannot be made: ${(thrown as Error).message}`, {
      cause: thrown,
    });
  }
  return record;
}

/** All of a run but its console log. */
export async function removeRunFiles(folder: RunFolder): Promise<void> {
  const { monitorSocket, guestAgentSocket, processLog, record } = folder;
  const files = [monitorSocket, guestAgentSocket, processLog, `${record}.partial`, record];
  for (const file of files) await rm(file, { force: true });
}

async function spawnQemu(qemuPath: string, args: readonly string[], folder: RunFolder): Promise<ChildProcess> {
  const log = await open(folder.processLog, 'a', 0o600);
  try {
    const child = spawn(qemuPath, args, {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
      env: TOOL_ENVIRONMENT,
    });
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

interface StatusWatch {
  readonly promise: Promise<ExitStatus>;
  /** Null while it runs. */
  current: ExitStatus | null;
  /** Why it could not be started at all. */
  spawnError: Error | null;
}

function exitStatusOf(child: ChildProcess): StatusWatch {
  const watch: { promise: Promise<ExitStatus>; current: ExitStatus | null; spawnError: Error | null } = {
    promise: new Promise((resolve) => {
      child.once('error', (error) => {
        watch.spawnError = error;
      });
      child.once('exit', (code, signal) => {
        watch.current = { code, signal };
        resolve(watch.current);
      });
    }),
    current: null,
    spawnError: null,
  };
  return watch;
}

async function identify(child: ChildProcess, folder: RunFolder, status: StatusWatch): Promise<ProcessIdentity> {
  if (child.pid === undefined) {
    // The 'error' event comes in the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    throw new DomainError('host_fault', `QEMU cannot be started: ${status.spawnError?.message ?? 'unknown reason'}`);
  }
  return identityOf(child.pid) ?? Promise.reject(await startFailure(folder, status));
}

async function openMonitor(folder: RunFolder, timeoutMs: number, status: StatusWatch): Promise<QmpClient> {
  const giveUpAtMs = performance.now() + timeoutMs;
  const ended = new DomainError('host_fault', 'QEMU ended while it was starting');
  try {
    const socket = await connectWhenBound(folder.monitorSocket, timeoutMs, () =>
      status.current === null ? null : ended,
    );
    return await QmpClient.open(socket, Math.max(1, giveUpAtMs - performance.now()));
  } catch (thrown) {
    // The socket closes a moment before the exit is known: let the process's own words win.
    await new Promise((resolve) => setTimeout(resolve, EXIT_SETTLE_MS));
    throw status.current === null ? thrown : await startFailure(folder, status);
  }
}

const EXIT_SETTLE_MS = 20;

async function startFailure(folder: RunFolder, status: StatusWatch): Promise<DomainError> {
  const words = (await readTail(folder.processLog, EXIT_DETAIL_BYTES_MAX)).trim();
  const exit = status.current === null ? '' : ` (code ${status.current.code}, signal ${status.current.signal})`;
  return new DomainError('host_fault', `QEMU ended while it was starting${exit}: ${words || 'it said nothing'}`);
}
