import { existsSync } from 'node:fs';
import { type Accelerator, DomainError } from '@kvorum/schema';
import type { ConsolePort } from '../console-port.js';
import { bindThreads, readThreads } from '../cpu/process-threads.js';
import type {
  CpuPlacement,
  DeviceEvent,
  DiskSwitch,
  GuestAnswer,
  GuestMemoryStats,
  LayerMerge,
  MachineSpec,
  MergeProgress,
  MonitorAnswer,
  RunningVm,
  VmExit,
  VmMemoryUse,
  VmPower,
  VmThread,
} from '../driver.js';
import { DeviceEvents } from '../firmware/device-events.js';
import { TpmWatch } from '../firmware/tpm-watch.js';
import { watchdogAction } from '../firmware/watchdog-action.js';
import type { GuestPort } from '../guest-port.js';
import type { Cgroups } from '../isolation/cgroups.js';
import type { UidRange } from '../isolation/vm-user.js';
import { deferred } from '../process/deferred.js';
import { KILL_CONFIRM_MS } from '../process/end-process.js';
import type { ExitWatch } from '../process/exit-watch.js';
import { readMemoryUse } from '../process/memory-use.js';
import type { Pidfd } from '../process/pidfd.js';
import { isSettledWithin } from '../process/within.js';
import { pollMemoryStats, queryBalloon, queryMemoryStats, setBalloon } from './balloon.js';
import { changeMachine } from './devices/change-machine.js';
import type { Ask } from './devices/machine-change.js';
import { endMerges, mergeLayer } from './devices/merge-layer.js';
import { switchDisks } from './devices/switch-disks.js';
import { DiskFaults } from './disk-faults.js';
import { deriveExit, type ExitStatus, guestFault } from './exit-reason.js';
import { GuestAgent } from './guest-agent.js';
import { GuestAgentClient } from './guest-agent-client.js';
import { isMigrating } from './is-migrating.js';
import { readLastWords } from './last-words.js';
import type { MonitorLink } from './monitor-link.js';
import { PowerSwitch } from './power-switch.js';
import { QemuConsoles } from './qemu-consoles.js';
import type { QemuOptions } from './qemu-options.js';
import type { QmpEvent } from './qmp-client.js';
import type { QmpCommandName, QmpCommands } from './qmp-commands.js';
import type { RunFolder } from './run-folder.js';
import { type RunRecord, writeRunRecord } from './run-record.js';

/** How soon the end of a process follows the close of its monitor. */
const END_CONFIRM_MS = 1_000;
/** One question waits at a hanging monitor, however often `checkMonitor` is called: this is when it is given up. */
const CHECK_ANSWER_TIMEOUT_MS = 24 * 3_600_000;

/** Others wait for their threads to be placed while one VM is asked for its own. */
const THREAD_ANSWER_TIMEOUT_MS = 1_000;

/** What a run consists of; made by launch.ts and adopt.ts. */
export interface QemuRun {
  readonly folder: RunFolder;
  readonly record: RunRecord;
  readonly pidfd: Pidfd;
  /** The process of the VM's TPM; null: it has none, or it has ended. */
  readonly tpm: Pidfd | null;
  readonly monitor: MonitorLink;
  /** Resolves when the process, being our child, has been reaped; null when it is not our child. */
  readonly exitStatus: Promise<ExitStatus> | null;
  /** Null: VMs are not limited. */
  readonly cgroups: Cgroups | null;
  readonly vmUids: UidRange | null;
}

/**
 * A QEMU process with the link to its monitor. When the monitor hangs or is lost while the process lives, methods throw
 * `deadline_exceeded` or `host_fault`; each call tries again to reach it, and `end` and `release` work in any case.
 */
export class QemuVm implements RunningVm {
  readonly vmId: string;
  readonly epoch: number;
  readonly pid: number;
  readonly accelerator: Accelerator;
  readonly exited: Promise<VmExit>;
  readonly guest: GuestPort;
  readonly consoles: ConsolePort;
  readonly #run: QemuRun;
  readonly #commandTimeoutMs: number;
  readonly #guestTimeoutMs: number;
  readonly #guestAgent: GuestAgentClient;
  readonly #watch: ExitWatch;
  readonly #exit = deferred<VmExit>();
  readonly #power: PowerSwitch;
  readonly #unwatch: () => void;
  readonly #deviceEvents = new DeviceEvents();
  readonly #tpm: TpmWatch;
  #record: RunRecord;
  #phase: 'live' | 'ended' | 'released' = 'live';
  #knownVcpuThreadIds: readonly number[] = [];
  #shutdownReason: string | null = null;
  #check: Promise<MonitorAnswer> | null = null;
  readonly #asker: Ask = (name, args) => this.#ask(name, args);
  readonly #diskFaults = new DiskFaults();

  constructor(
    run: QemuRun,
    watch: ExitWatch,
    { commandTimeoutMs, guestTimeoutMs }: Pick<QemuOptions, 'commandTimeoutMs' | 'guestTimeoutMs'>,
  ) {
    this.#guestTimeoutMs = guestTimeoutMs;
    this.#run = run;
    this.#record = run.record;
    this.#watch = watch;
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#guestAgent = new GuestAgentClient(run.folder.guestAgentSocket);
    this.guest = new GuestAgent(this.#guestAgent, (ask) => this.#call(ask));
    this.consoles = new QemuConsoles({
      folder: run.folder,
      call: (use) => this.#call(use),
      screendump: async (filename) => void (await this.#ask('screendump', { filename, format: 'png' })),
    });
    this.#power = new PowerSwitch(this.#asker, (isHeldStill) => this.#keep({ isHeldStill }));
    this.vmId = run.record.vmId;
    this.epoch = run.record.epoch;
    this.pid = run.pidfd.pid;
    this.accelerator = run.record.accelerator;
    this.exited = this.#exit.promise;
    run.monitor.onEvent((event) => this.#hear(event));
    this.#unwatch = watch.add(run.pidfd, () => this.#onEnded());
    run.monitor.onLoss(() => watch.hurry());
    this.#tpm = new TpmWatch(run, watch, (detail) => {
      if (this.#phase === 'live') this.#deviceEvents.tell({ kind: 'tpm-lost', detail });
    });
  }

  get folder(): RunFolder {
    return this.#run.folder;
  }

  get ask(): Ask {
    return this.#asker;
  }

  get isLive(): boolean {
    return this.#phase === 'live';
  }

  async queryPower(): Promise<VmPower> {
    return (await this.#ask('query-status')).isRunning ? 'running' : 'paused';
  }

  async ensureMachine(machine: MachineSpec): Promise<void> {
    await this.#assertLive();
    const { cgroups, vmUids } = this.#run;
    const run = { ask: this.#asker, record: this.#record, cgroups, vmUids, guestTimeoutMs: this.#guestTimeoutMs };
    await changeMachine(run, machine);
  }

  switchDisks(switches: readonly DiskSwitch[]): Promise<void> {
    return switchDisks({ ask: this.#asker, vmId: this.vmId, vmUids: this.#run.vmUids }, switches);
  }

  mergeLayer(merge: LayerMerge): Promise<MergeProgress> {
    return mergeLayer({ ask: this.#asker, vmId: this.vmId, vmUids: this.#run.vmUids }, merge);
  }

  endMerges(diskId: string): Promise<void> {
    return endMerges({ ask: this.#asker }, diskId);
  }

  async checkMonitor(timeoutMs: number): Promise<MonitorAnswer> {
    await this.#assertLive();
    this.#check ??= this.#askForStatus().finally(() => {
      this.#check = null;
    });
    const check = this.#check;
    if (await isSettledWithin(check, timeoutMs)) return check;
    throw new DomainError('deadline_exceeded', `the monitor did not answer within ${timeoutMs} ms`);
  }

  pause(): Promise<void> {
    return this.#power.change('stop');
  }

  resume(): Promise<void> {
    return this.#power.change('cont');
  }

  holdStill<Result>(run: () => Promise<Result>): Promise<Result> {
    return this.#power.holdStill(run);
  }

  /** What an earlier agent held still goes on. */
  async letGo(): Promise<void> {
    if (this.#record.isHeldStill === true) await this.#power.letGo();
  }

  async reset(): Promise<void> {
    await this.#ask('system_reset');
  }

  async pressPowerButton(): Promise<void> {
    await this.#ask('system_powerdown');
  }

  async end(timeoutMs: number): Promise<void> {
    if (this.#phase === 'ended') return void (await this.exited);
    this.#assertNotReleased();
    const giveUpAtMs = performance.now() + timeoutMs;
    await this.#recordEndRequest();
    // A monitor that does not take the command is no obstacle: SIGKILL follows.
    const quit = this.#run.monitor.execute('quit', undefined, timeoutMs).catch(() => undefined);
    await Promise.race([quit, this.exited]);
    const leftMs = !this.#run.monitor.isConnected ? END_CONFIRM_MS : giveUpAtMs - performance.now();
    if (await isSettledWithin(this.exited, Math.max(0, Math.min(leftMs, timeoutMs)))) return;
    // SAFE: a closed pidfd is never used, so this hits our process or nothing.
    this.#run.pidfd.kill();
    this.#watch.hurry();
    if (await isSettledWithin(this.exited, KILL_CONFIRM_MS)) return;
    throw new DomainError('host_fault', `process ${this.pid} has not ended ${KILL_CONFIRM_MS} ms after SIGKILL`);
  }

  setBalloon(targetBytes: number): Promise<number> {
    return setBalloon(this.#asker, this.#record.memoryBytes, targetBytes);
  }

  queryBalloon(): Promise<number> {
    return queryBalloon(this.#asker);
  }

  pollMemoryStats(intervalS: number): Promise<void> {
    return pollMemoryStats(this.#asker, intervalS);
  }

  queryMemoryStats(): Promise<GuestMemoryStats | null> {
    return queryMemoryStats(this.#asker);
  }

  isMigrating(): Promise<boolean> {
    return isMigrating(this.#asker);
  }

  async pingGuest(timeoutMs: number): Promise<GuestAnswer> {
    return { isResponding: await this.#call(() => this.#guestAgent.ping(timeoutMs)) };
  }

  async queryThreads(): Promise<VmThread[]> {
    return readThreads(this.pid, await this.#vcpuThreadIds());
  }

  async placeThreads(placement: CpuPlacement): Promise<number> {
    await this.#assertLive();
    // Where vCPUs run with the others it need not be known which threads they are, so that a hanging monitor is no obstacle.
    const vcpuThreadIds = placement.vcpuCpus.length === 0 ? [] : await this.#vcpuThreadIds();
    await this.#assertLive();
    return bindThreads(this.pid, vcpuThreadIds, placement);
  }

  async measureMemory(): Promise<VmMemoryUse | null> {
    await this.#assertLive();
    return readMemoryUse(this.pid, this.#record.backendBytes);
  }

  /** Asked for each time, as vCPUs may be added; where the monitor hangs, as it was. */
  async #vcpuThreadIds(): Promise<readonly number[]> {
    await this.#assertLive();
    try {
      const vcpus = await this.#run.monitor.execute('query-cpus-fast', undefined, THREAD_ANSWER_TIMEOUT_MS);
      this.#knownVcpuThreadIds = vcpus.map(({ threadId }) => threadId);
    } catch (thrown) {
      const reason = await this.#explain(thrown);
      if (this.#knownVcpuThreadIds.length === 0 || this.#phase !== 'live') throw reason;
    }
    return this.#knownVcpuThreadIds;
  }

  async queryGenerationId(): Promise<string> {
    return (await this.#ask('query-vm-generation-id')).guid;
  }

  onDeviceEvent(listener: (event: DeviceEvent) => void): () => void {
    return this.#deviceEvents.listen(listener);
  }

  onPowerChange(listener: (power: VmPower) => void): () => void {
    return this.#power.listen(listener);
  }

  async release(): Promise<void> {
    if (this.#phase !== 'live') return;
    this.#phase = 'released';
    this.#unwatch();
    this.#tpm.stop();
    this.#guestAgent.close();
    this.#run.monitor.close();
  }

  async #askForStatus(): Promise<MonitorAnswer> {
    try {
      const { isRunning, status } = await this.#run.monitor.execute('query-status', undefined, CHECK_ANSWER_TIMEOUT_MS);
      if (this.#run.monitor.isConnected && !existsSync(this.#run.folder.monitorSocket)) this.#tellSocketLost();
      // It stands still since before we came: the event is over.
      if (status === 'watchdog' && !this.#deviceEvents.has('watchdog-expired')) this.#tellWatchdog('pause');
      return { power: isRunning ? 'running' : 'paused', diskFault: this.#diskFaults.of(status) };
    } catch (thrown) {
      throw await this.#explain(thrown);
    }
  }

  async #ask<Name extends QmpCommandName>(
    name: Name,
    args?: QmpCommands[Name]['arguments'],
  ): Promise<QmpCommands[Name]['answer']> {
    return this.#call(() => this.#run.monitor.execute(name, args, this.#commandTimeoutMs));
  }

  async #call<Result>(run: () => Promise<Result>): Promise<Result> {
    await this.#assertLive();
    try {
      return await run();
    } catch (thrown) {
      throw await this.#explain(thrown);
    }
  }

  /** A lost monitor mostly means a lost process, which is the better answer. */
  async #explain(thrown: unknown): Promise<unknown> {
    const isLost = this.#run.monitor.isLostWithin(END_CONFIRM_MS) && this.#phase !== 'released';
    return isLost && (await isSettledWithin(this.exited, END_CONFIRM_MS)) ? guestFault(await this.exited) : thrown;
  }

  async #assertLive(): Promise<void> {
    if (this.#phase === 'ended') throw guestFault(await this.exited);
    this.#assertNotReleased();
  }

  #assertNotReleased(): void {
    if (this.#phase === 'released') throw new DomainError('conflict_state', 'this VM was released; adopt it again');
  }

  #hear(event: QmpEvent): void {
    const { reason } = event.data;
    if (event.name === 'SHUTDOWN' && typeof reason === 'string') this.#shutdownReason ??= reason;
    if (event.name === 'BLOCK_IO_ERROR') this.#diskFaults.hear(event.data);
    if (event.name === 'WATCHDOG') this.#tellWatchdog(event.data['action']);
    // A VM that ends also stops first; that is not a pause.
    if (this.#shutdownReason === null) this.#power.hear(event.name);
  }

  #tellSocketLost(): void {
    if (this.#deviceEvents.has('monitor-socket-lost')) return;
    const detail = 'the socket of its monitor was removed: this agent still reaches it, the next one could only end it';
    this.#deviceEvents.tell({ kind: 'monitor-socket-lost', detail });
  }

  #tellWatchdog(qemuAction: unknown): void {
    const action = watchdogAction(qemuAction);
    if (action !== null) this.#deviceEvents.tell({ kind: 'watchdog-expired', action });
  }

  async #keep(change: Partial<RunRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    await writeRunRecord(this.#run.folder, this.#record);
  }

  async #recordEndRequest(): Promise<void> {
    await this.#keep({ isEndRequested: true }).catch(() => undefined);
  }

  #onEnded(): void {
    this.#phase = 'ended';
    this.#guestAgent.close();
    void this.#settleExit();
  }

  async #settleExit(): Promise<void> {
    // Events sent before the end may still be in the socket; its close comes after them.
    await isSettledWithin(this.#run.monitor.sessionClosed, END_CONFIRM_MS);
    this.#run.monitor.close();
    const { exitStatus, folder, cgroups } = this.#run;
    const isReaped = exitStatus !== null && (await isSettledWithin(exitStatus, END_CONFIRM_MS));
    const exit = deriveExit({
      shutdownReason: this.#shutdownReason,
      ...(await readLastWords(folder)),
      isEndRequested: this.#record.isEndRequested,
      status: isReaped ? await exitStatus : null,
      oomKillCount: (await cgroups?.readOomKillCount(this.vmId)) ?? 0,
    });
    // For an agent that restarts before it could tell. Without a folder there is nobody left to ask.
    await writeRunRecord(folder, { ...this.#record, exit }).catch(() => undefined);
    // It may not outlive the VM: the next start has its own, over the same state.
    await this.#tpm.end();
    await cgroups?.remove(this.vmId);
    this.#exit.resolve(exit);
  }
}
