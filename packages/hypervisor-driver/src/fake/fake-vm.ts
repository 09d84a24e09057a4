import { type Accelerator, DomainError } from '@kvorum/schema';
import type { ConsolePort } from '../console-port.js';
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
import type { GuestPort } from '../guest-port.js';
import { deferred } from '../process/deferred.js';
import { assertMerge } from '../qemu/devices/merge-layer.js';
import { assertSwitches } from '../qemu/devices/switch-disks.js';
import { assertMachine } from '../qemu/launch-refusal.js';
import { assertStatsInterval } from '../qemu/stats-interval.js';
import { changeFakeMachine, holdFakeStill, switchFakeDisks } from './change-fake-machine.js';
import { FakeConsoles } from './fake-consoles.js';
import { type FakeGuest, FakeGuestPort } from './fake-guest.js';
import type { FakeProcess } from './fake-machine.js';
import { endFakeMerges, mergeFakeLayer } from './merge-fake-layer.js';

/** One agent's hold on a FakeProcess. */
export class FakeVm implements RunningVm {
  readonly exited: Promise<VmExit>;
  readonly guest: GuestPort;
  readonly consoles: ConsolePort;
  readonly #process: FakeProcess;
  readonly #exit = deferred<VmExit>();
  readonly #ownListeners = new Set<(power: VmPower) => void>();
  readonly #unsubscribes: (() => void)[] = [];
  #isReleased = false;

  constructor(process: FakeProcess) {
    this.#process = process;
    this.exited = this.#exit.promise;
    this.guest = new FakeGuestPort(() => this.#answeringGuest());
    this.consoles = new FakeConsoles(async () => {
      await this.#assertHeld();
      return process;
    });
    // A released VM's end is no longer told, as with a closed monitor.
    void process.exited.then((exit) => {
      if (!this.#isReleased) this.#exit.resolve(exit);
    });
  }

  get vmId(): string {
    return this.#process.launch.vmId;
  }

  get epoch(): number {
    return this.#process.launch.epoch;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get accelerator(): Accelerator {
    return this.#process.launch.accelerator;
  }

  get runDir(): string {
    return this.#process.launch.runDir;
  }

  get isLive(): boolean {
    return !this.#process.isEnded && !this.#isReleased;
  }

  async queryPower(): Promise<VmPower> {
    await this.#assertAnswers();
    this.#process.tick();
    return this.#process.power;
  }

  async ensureMachine(machine: MachineSpec): Promise<void> {
    assertMachine(machine);
    await this.#assertAnswers();
    changeFakeMachine(this.#process, machine);
  }

  async switchDisks(switches: readonly DiskSwitch[]): Promise<void> {
    assertSwitches(switches);
    await this.#assertAnswers();
    switchFakeDisks(this.#process, switches);
  }

  async mergeLayer(merge: LayerMerge): Promise<MergeProgress> {
    assertMerge(merge);
    await this.#assertAnswers();
    return mergeFakeLayer(this.#process, merge);
  }

  async endMerges(diskId: string): Promise<void> {
    await this.#assertAnswers();
    endFakeMerges(this.#process, diskId);
  }

  async checkMonitor(): Promise<MonitorAnswer> {
    await this.#assertAnswers();
    const { power, diskFault } = this.#process;
    return { power, diskFault };
  }

  async pause(): Promise<void> {
    await this.#assertAnswers();
    this.#process.changePower('paused');
  }

  async holdStill<Result>(run: () => Promise<Result>): Promise<Result> {
    await this.#assertAnswers();
    return holdFakeStill(this.#process, run, () => this.#assertAnswers());
  }

  async resume(): Promise<void> {
    await this.#assertAnswers();
    this.#process.changePower('running');
  }

  async reset(): Promise<void> {
    await this.#assertAnswers();
    this.#process.resetCount += 1;
    this.#process.print('GUEST UP after reset');
  }

  async pressPowerButton(): Promise<void> {
    await this.#assertAnswers();
    // A paused guest sees the button when it runs again; tests that need that resume and press again.
    if (this.#process.obeysPowerButton && this.#process.power === 'running') this.#process.powerOff();
  }

  async end(): Promise<void> {
    if (this.#process.isEnded) return;
    this.#assertNotReleased();
    this.#process.exit({ reason: 'requested', detail: 'ended on request' });
  }

  async setBalloon(targetBytes: number): Promise<number> {
    await this.#assertAnswers();
    const { memoryBytes } = this.#process.machine;
    if (!Number.isSafeInteger(targetBytes) || targetBytes < 1 || targetBytes > memoryBytes) {
      throw new DomainError('invalid_request', `targetBytes is not within 1 to ${memoryBytes}`);
    }
    if (this.#process.hasBalloonDriver) this.#process.balloonBytes = targetBytes;
    return this.#process.balloonBytes;
  }

  async queryBalloon(): Promise<number> {
    await this.#assertAnswers();
    return this.#process.balloonBytes;
  }

  async pollMemoryStats(intervalS: number): Promise<void> {
    assertStatsInterval(intervalS);
    await this.#assertAnswers();
  }

  async queryMemoryStats(): Promise<GuestMemoryStats | null> {
    await this.#assertAnswers();
    return this.#process.memoryStats();
  }

  async isMigrating(): Promise<boolean> {
    await this.#assertAnswers();
    return this.#process.isMigrating;
  }

  async pingGuest(): Promise<GuestAnswer> {
    await this.#assertHeld();
    const { hasGuestAgent, power, isHung } = this.#process;
    return { isResponding: hasGuestAgent && power === 'running' && !isHung };
  }

  async queryThreads(): Promise<VmThread[]> {
    await this.#assertAnswers();
    return [...this.#process.threads.all];
  }

  async placeThreads(placement: CpuPlacement): Promise<number> {
    await (placement.vcpuCpus.length === 0 ? this.#assertHeld() : this.#assertAnswers());
    return this.#process.threads.place(placement);
  }

  async measureMemory(): Promise<VmMemoryUse | null> {
    await this.#assertHeld();
    return { guestBytes: this.#process.usedBytes, overheadBytes: this.#process.overheadBytes };
  }

  async queryGenerationId(): Promise<string> {
    await this.#assertAnswers();
    return this.#process.launch.firmware.generationId;
  }

  onDeviceEvent(listener: (event: DeviceEvent) => void): () => void {
    const stop = this.#process.deviceEvents.listen(listener);
    this.#unsubscribes.push(stop);
    return stop;
  }

  onPowerChange(listener: (power: VmPower) => void): () => void {
    this.#process.powerListeners.add(listener);
    this.#ownListeners.add(listener);
    return () => {
      this.#process.powerListeners.delete(listener);
      this.#ownListeners.delete(listener);
    };
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    for (const stop of this.#unsubscribes) stop();
    for (const listener of this.#ownListeners) this.#process.powerListeners.delete(listener);
  }

  async #answeringGuest(): Promise<FakeGuest> {
    await this.#assertHeld();
    const { hasGuestAgent, power, isHung, guest } = this.#process;
    if (hasGuestAgent && power === 'running' && !isHung) return guest;
    throw new DomainError('guest_agent_failed', 'the guest agent did not answer in time');
  }

  async #assertHeld(): Promise<void> {
    if (this.#process.isEnded) {
      const { reason } = await this.#process.exited;
      throw new DomainError('guest_fault', `the VM's process has ended: ${reason}`);
    }
    this.#assertNotReleased();
  }

  async #assertAnswers(): Promise<void> {
    await this.#assertHeld();
    if (this.#process.isHung) throw new DomainError('deadline_exceeded', 'the monitor did not answer in time');
  }

  #assertNotReleased(): void {
    if (this.#isReleased) throw new DomainError('conflict_state', 'this VM was released; adopt it again');
  }
}
