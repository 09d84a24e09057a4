import type { DeviceEvent, DiskFault, RunningVm, VmExit, VmPower } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import { DeviceConditions } from './device-conditions.js';
import type { LiveRun } from './vm-actor-rules.js';
import type { VmCondition } from './vm-condition.js';

export interface LiveVmListener {
  onExit(live: LiveVm): void;
  /** Its power or one of its conditions is different. */
  onChange(): void;
}

/** A process of the VM that the actor holds, with what is known of it without asking. */
export class LiveVm implements LiveRun {
  readonly vm: RunningVm;
  exit: VmExit | null = null;
  /** We asked the guest or the process to end: however it ends, it was requested. */
  isEndRequested = false;
  readonly #listener: LiveVmListener;
  readonly #unsubscribe: () => void;
  #power: VmPower;
  #powerChangeCount = 0;
  #hang: VmCondition | null = null;
  #diskFault: VmCondition | null = null;
  /** What is waited for before a VM goes on that stands still for want of room. */
  waitsFor: string | null = null;
  readonly #devices = new DeviceConditions();
  /** Kept by cpu-keeper.ts. */
  cpuDrift: VmCondition | null = null;
  /** What a fork's guest could not be given of its own. */
  staleIdentity: VmCondition | null = null;
  isRefreshing = false;

  constructor(vm: RunningVm, power: VmPower, listener: LiveVmListener) {
    this.vm = vm;
    this.#power = power;
    this.#listener = listener;
    this.#unsubscribe = vm.onPowerChange((changed) => {
      if (changed === this.power) return;
      this.power = changed;
      listener.onChange();
    });
    const stopDevices = vm.onDeviceEvent((event) => this.#hear(event));
    void vm.exited.then((exit) => {
      this.exit = exit;
      this.#unsubscribe();
      stopDevices();
      listener.onExit(this);
    });
  }

  get epoch(): number {
    return this.vm.epoch;
  }

  get power(): VmPower {
    return this.#power;
  }
  set power(power: VmPower) {
    this.#power = power;
    this.#powerChangeCount += 1;
  }

  get isHung(): boolean {
    return this.#hang !== null;
  }
  get isOutOfDisk(): boolean {
    return this.#diskFault?.kind === 'disk-full';
  }
  get conditions(): readonly VmCondition[] {
    const own = [this.#hang, this.#shownDiskFault, this.cpuDrift, this.staleIdentity].filter(
      (condition) => condition !== null,
    );
    return [...own, ...this.#devices.conditions];
  }

  get #shownDiskFault(): VmCondition | null {
    const fault = this.#diskFault;
    if (fault === null || !this.isOutOfDisk || this.waitsFor === null) return fault;
    return { ...fault, detail: `${fault.detail}; waiting for ${this.waitsFor}` };
  }

  /** Asks for a sign of life within `timeoutMs` and remembers what came of it. Never throws for what ails the VM. */
  async check(timeoutMs: number): Promise<void> {
    const askedAtMs = Date.now();
    const powerChangeCount = this.#powerChangeCount;
    const before = [this.#hang, this.#diskFault, this.#power, ...this.#devices.conditions];
    try {
      const { power, diskFault } = await this.vm.checkMonitor(timeoutMs);
      this.#hang = null;
      this.#diskFault = diskFault === null ? null : this.#conditionOf(diskFault, askedAtMs);
      // An answer that crossed a change of ours is old news.
      if (powerChangeCount === this.#powerChangeCount && power !== this.#power) this.power = power;
      this.#devices.settle(this.#power, askedAtMs);
    } catch (thrown) {
      if (!(thrown instanceof DomainError)) throw thrown;
      // It has ended or was let go: its end is noted elsewhere.
      if (thrown.code === 'guest_fault' || thrown.code === 'conflict_state') return;
      const isSame = this.#hang?.detail === thrown.message;
      if (!isSame) this.#hang = { kind: 'hung', sinceMs: this.#hang?.sinceMs ?? askedAtMs, detail: thrown.message };
    }
    const after = [this.#hang, this.#diskFault, this.#power, ...this.#devices.conditions];
    if (after.length !== before.length || after.some((value, index) => value !== before[index]))
      this.#listener.onChange();
  }

  /** Lets go of the process, which goes on. */
  async release(): Promise<void> {
    this.#unsubscribe();
    await this.vm.release();
  }

  #hear(event: DeviceEvent): void {
    this.#devices.hear(event, Date.now());
    this.#listener.onChange();
  }

  #conditionOf({ kind, detail }: DiskFault, nowMs: number): VmCondition {
    const known = this.#diskFault;
    if (known?.detail === detail) return known;
    return { kind: kind === 'full' ? 'disk-full' : 'disk-failing', sinceMs: known?.sinceMs ?? nowMs, detail };
  }
}
