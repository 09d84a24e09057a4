import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DomainError, HostFacts } from '@kvorum/schema';
import { SERIAL_INPUT_BYTES_MAX } from '../console-port.js';
import {
  CONSOLE_LOG_NAME,
  type DiskFault,
  type DiskSpec,
  type GuestMemoryStats,
  type LaunchSpec,
  type LayerMerge,
  type MachineSpec,
  type PastExit,
  type VmExit,
  type VmPower,
} from '../driver.js';
import { DeviceEvents } from '../firmware/device-events.js';
import { deferred } from '../process/deferred.js';
import type { TemplateFacts } from '../template-port.js';
import { FAKE_FACTS } from './fake-facts.js';
import { FakeGuest } from './fake-guest.js';
import { FakeThreads, FIRST_PID, THREAD_ID_COUNT } from './fake-threads.js';

/**
 * The hardware under FakeDrivers: what outlives an agent. A new FakeDriver over the same machine finds the processes of
 * the old one. Tests inject faults here; everything happens at once and without timers.
 */
export class FakeMachine {
  readonly facts: HostFacts;
  readonly disks = new Map<string, DiskSpec>();
  /** By run folder. Holds only processes that run. */
  readonly processes = new Map<string, FakeProcess>();
  /** By folder. */
  readonly templates = new Map<string, FakeTemplate>();
  /** Folders of templates that were changed after they were frozen. */
  readonly damagedTemplates = new Set<string>();
  readonly pastExits = new Map<string, PastExit & { readonly vmId: string }>();
  /** Paths of images whose guests come without a balloon driver. */
  readonly imagesWithoutBalloon = new Set<string>();
  /** Paths of images whose guests run no QEMU guest agent. */
  readonly imagesWithoutGuestAgent = new Set<string>();
  /** What of VmFirmware this machine lacks: it says so, and a launch with it is refused. */
  readonly lacksFirmware = new Set<'uefi' | 'secure-boot' | 'tpm'>();
  /** Paths of images that ensureDisk finds damaged. */
  readonly damagedImages = new Set<string>();
  /** Files of pools count as being there without being looked for. */
  poolsArePresent = false;
  /** Awaited in each launch before the process exists: hold it to look at what happens meanwhile. */
  beforeLaunch: (launch: LaunchSpec) => Promise<void> = async () => undefined;
  /** Every launch that was tried, also failed ones: proves that nothing ran twice. */
  readonly launches: LaunchSpec[] = [];
  readonly #launchFailures: DomainError[] = [];
  readonly #diskFailures: DomainError[] = [];
  readonly #adoptFailures: DomainError[] = [];
  #nextPid = FIRST_PID;

  constructor(facts: Partial<HostFacts> = {}) {
    this.facts = { ...FAKE_FACTS, ...facts };
  }

  /** The next launch that is not failing yet throws this. */
  failNextLaunch(error: DomainError): void {
    this.#launchFailures.push(error);
  }

  failNextDisk(error: DomainError): void {
    this.#diskFailures.push(error);
  }

  /** The next adoption of a process that runs throws this. */
  failNextAdopt(error: DomainError): void {
    this.#adoptFailures.push(error);
  }

  takeAdoptFailure(): DomainError | undefined {
    return this.#adoptFailures.shift();
  }

  takeLaunchFailure(): DomainError | undefined {
    return this.#launchFailures.shift();
  }

  takeDiskFailure(): DomainError | undefined {
    return this.#diskFailures.shift();
  }

  /** `template`: its guest goes on where that one's stood still. */
  startProcess(launch: LaunchSpec, template: FakeTemplate | null = null): FakeProcess {
    const process = new FakeProcess(this, launch, this.#nextPid, template);
    this.#nextPid += THREAD_ID_COUNT;
    process.threads.place(launch.placement);
    this.processes.set(launch.runDir, process);
    return process;
  }

  /** The one running process of a VM; a test that names another is wrong. */
  processOf(vmId: string): FakeProcess {
    const found = [...this.processes.values()].filter((process) => process.launch.vmId === vmId);
    if (found.length !== 1) throw new RangeError(`${found.length} processes of VM ${vmId}`);
    return found[0] as FakeProcess;
  }
}

/** What a frozen guest had. */
export interface FakeTemplate {
  readonly facts: TemplateFacts;
  readonly counted: number;
  readonly hasBalloonDriver: boolean;
  readonly hasGuestAgent: boolean;
}

const MS_PER_S = 1000;
/** Of its memory, what a guest uses until a test says otherwise. */
const USED_SHARE = 0.25;

/** A VM's process. What a guest or a fault would do to it is a method. */
export class FakeProcess {
  readonly launch: LaunchSpec;
  readonly pid: number;
  readonly #machine: FakeMachine;
  readonly #end = deferred<VmExit>();
  readonly powerListeners = new Set<(power: VmPower) => void>();
  /** A watchdog that runs out, a TPM that dies: `deviceEvents.tell`. */
  readonly deviceEvents = new DeviceEvents();
  power: VmPower;
  #isHeldStill = false;
  balloonBytes: number;
  /** The guest's balloon driver follows requests and gives statistics. */
  hasBalloonDriver: boolean;
  /** What the guest's programs and kernel cannot do without. */
  usedBytes: number;
  /** What its QEMU would take beside the guest's memory. */
  overheadBytes = 80 * 1024 ** 2;
  readonly threads: FakeThreads;
  /** Host time (Unix ms) of the last statistics; null: they are as fresh as can be. */
  statsFrozenAtMs: number | null = null;
  /** Disks whose layers are being merged. */
  readonly merges = new Set<string>();
  /** No merge ends. */
  mergesAreHeld = false;
  /** What a merge does to the files, where there are any. */
  onMerge: (merge: LayerMerge) => Promise<void> = async () => undefined;
  /** Its memory is being sent to another host. */
  isMigrating = false;
  hasGuestAgent: boolean;
  /** What its guest agent speaks for. */
  readonly guest = new FakeGuest();
  /** What the running machine is now; it is launched as asked. */
  machine: MachineSpec;
  /** The guest takes part when devices and memory come and go. */
  takesPartInChanges = true;
  /** The guest acts on the power button. */
  obeysPowerButton = true;
  /** The monitor does not answer: as after SIGSTOP, or with storage gone. */
  isHung = false;
  /** Why the VM stands still; a resume clears it, as if the disk had space again. */
  diskFault: DiskFault | null = null;
  resetCount = 0;
  isEnded = false;
  #counted = 0;
  #typed = Buffer.alloc(0);

  constructor(machine: FakeMachine, launch: LaunchSpec, pid: number, template: FakeTemplate | null) {
    this.#machine = machine;
    this.launch = launch;
    this.machine = launch;
    this.pid = pid;
    this.power = launch.isPaused ? 'paused' : 'running';
    this.balloonBytes = launch.memoryBytes;
    const imagePath = machine.disks.get(launch.diskPath)?.imagePath ?? '';
    this.hasBalloonDriver = template?.hasBalloonDriver ?? !machine.imagesWithoutBalloon.has(imagePath);
    this.hasGuestAgent = template?.hasGuestAgent ?? !machine.imagesWithoutGuestAgent.has(imagePath);
    this.#counted = template?.counted ?? 0;
    this.usedBytes = Math.floor(launch.memoryBytes * USED_SHARE);
    const hostCpus = machine.facts.numaNodes.flatMap((node) => node.cpus);
    this.threads = new FakeThreads(pid, launch.vcpuCount, hostCpus);
    mkdirSync(launch.runDir, { recursive: true, mode: 0o700 });
    if (this.power === 'running' && template === null) this.print(`GUEST UP ${launch.name} epoch ${launch.epoch}`);
  }

  /** How far its guest has counted: what it has in memory. */
  get counted(): number {
    return this.#counted;
  }

  get disks(): Map<string, DiskSpec> {
    return this.#machine.disks;
  }

  /** As Linux gives them with deflate-on-oom: what the balloon holds counts as used, the total stays. */
  memoryStats(): GuestMemoryStats | null {
    if (!this.hasBalloonDriver) return null;
    const availableBytes = Math.max(0, this.balloonBytes - this.usedBytes);
    return {
      updatedAtMs: Math.floor((this.statsFrozenAtMs ?? Date.now()) / MS_PER_S) * MS_PER_S,
      totalBytes: this.machine.memoryBytes,
      freeBytes: availableBytes,
      availableBytes,
      diskCacheBytes: 0,
    };
  }

  get exited(): Promise<VmExit> {
    return this.#end.promise;
  }

  /** Appends a line to the console, as the guest would. */
  print(line: string): void {
    appendFileSync(join(this.launch.runDir, CONSOLE_LOG_NAME), `${line}\n`);
  }

  /** Types on the serial line; a guest that runs prints it. Returns how many bytes were taken. */
  type(data: Uint8Array): number {
    const taken = Buffer.from(data.subarray(0, SERIAL_INPUT_BYTES_MAX - this.#typed.length));
    this.#typed = Buffer.concat([this.#typed, taken]);
    if (this.power === 'running' && !this.isHung) this.#printTyped();
    return taken.length;
  }

  #printTyped(): void {
    appendFileSync(join(this.launch.runDir, CONSOLE_LOG_NAME), this.#typed);
    this.#typed = Buffer.alloc(0);
  }

  /** The guest lives: it counts on its console while it runs. */
  tick(): void {
    if (this.power !== 'running' || this.isHung) return;
    this.#counted += 1;
    this.print(`COUNT ${this.#counted}`);
  }

  holdStill(): void {
    this.#isHeldStill = true;
    this.power = 'paused';
  }

  /** Also by the next agent. */
  letGo(): void {
    if (this.#isHeldStill) this.changePower('running');
    this.#isHeldStill = false;
  }

  changePower(power: VmPower): void {
    const isFirstRun = power === 'running' && this.#counted === 0 && this.power === 'paused';
    this.power = power;
    if (power === 'running') this.diskFault = null;
    if (power === 'running') this.#printTyped();
    if (isFirstRun) this.print(`GUEST UP ${this.launch.name} epoch ${this.launch.epoch}`);
  }

  /** A pause or resume that nobody asked for, such as a full disk. */
  changePowerUnasked(power: VmPower): void {
    this.changePower(power);
    for (const listener of this.powerListeners) listener(power);
  }

  /** The guest stops feeding its watchdog: what was declared happens. */
  expireWatchdog(): void {
    const { action } = this.launch.hardware.firmware.watchdog;
    if (action === 'none') throw new RangeError('this VM has no watchdog');
    this.deviceEvents.tell({ kind: 'watchdog-expired', action });
    if (action === 'pause') this.changePowerUnasked('paused');
    if (action === 'reset') this.resetCount += 1;
    if (action === 'shutdown' && this.obeysPowerButton) this.powerOff();
    if (action === 'poweroff') this.crash("exit code 0; the guest's watchdog ran out (poweroff)");
  }

  /** The process that emulates its TPM ends. */
  killTpm(): void {
    if (this.launch.hardware.firmware.tpm === 'none') throw new RangeError('this VM has no TPM');
    this.deviceEvents.tell({ kind: 'tpm-lost', detail: 'the process of the TPM has ended' });
  }

  powerOff(): void {
    this.exit({ reason: 'guest-shutdown', detail: "exit code 0; QEMU's reason: guest-shutdown" });
  }

  crash(detail = 'ended by SIGKILL'): void {
    this.exit({ reason: 'crash', detail });
  }

  exit(exit: VmExit): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { runDir, vmId, epoch } = this.launch;
    this.#machine.processes.delete(runDir);
    this.#machine.pastExits.set(runDir, { vmId, epoch, exit });
    this.#end.resolve(exit);
  }
}
