import type { RunningVm, VmExit, VmPower } from '@kvorum/hypervisor-driver';
import type { LiveRun } from './vm-actor-rules.js';

export interface LiveVmListener {
  onExit(live: LiveVm): void;
  onPowerChange(): void;
}

/** A process of the VM that the actor holds, with what is known of it without asking. */
export class LiveVm implements LiveRun {
  readonly vm: RunningVm;
  power: VmPower;
  exit: VmExit | null = null;
  /** We asked the guest or the process to end: however it ends, it was requested. */
  isEndRequested = false;
  readonly #unsubscribe: () => void;

  constructor(vm: RunningVm, power: VmPower, listener: LiveVmListener) {
    this.vm = vm;
    this.power = power;
    this.#unsubscribe = vm.onPowerChange((changed) => {
      if (changed === this.power) return;
      this.power = changed;
      listener.onPowerChange();
    });
    void vm.exited.then((exit) => {
      this.exit = exit;
      this.#unsubscribe();
      listener.onExit(this);
    });
  }

  get epoch(): number {
    return this.vm.epoch;
  }

  /** Lets go of the process, which goes on. */
  async release(): Promise<void> {
    this.#unsubscribe();
    await this.vm.release();
  }
}
