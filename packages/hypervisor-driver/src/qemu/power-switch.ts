import type { VmPower } from '../driver.js';
import type { Ask } from './devices/machine-change.js';

const POWER_EVENTS: Readonly<Record<string, VmPower>> = { STOP: 'paused', RESUME: 'running' };

/** Whether the guest runs or stands still. */
export class PowerSwitch {
  readonly #ask: Ask;
  readonly #recordHold: (isHeldStill: boolean) => Promise<void>;
  readonly #listeners = new Set<(power: VmPower) => void>();
  /** Commands of ours under way that cause STOP or RESUME: those events are no news. */
  #ownChanges = 0;

  /** `recordHold` has it on disk when it resolves. */
  constructor(ask: Ask, recordHold: (isHeldStill: boolean) => Promise<void>) {
    this.#ask = ask;
    this.#recordHold = recordHold;
  }

  listen(listener: (power: VmPower) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  hear(eventName: string): void {
    const power = POWER_EVENTS[eventName];
    if (power === undefined || this.#ownChanges > 0) return;
    for (const listener of this.#listeners) listener(power);
  }

  async change(command: 'stop' | 'cont'): Promise<void> {
    // QEMU sends the event before the answer, so the count is still up when it is heard.
    this.#ownChanges += 1;
    try {
      await this.#ask(command);
    } finally {
      this.#ownChanges -= 1;
    }
  }

  /**
   * Driver port: RunningVm.holdStill. `stop` lets requests to disks end and flushes them (vm_stop, system/cpus.c). On record first: a
   * guest that an agent held when it died is let go by the next one.
   */
  async holdStill<Result>(run: () => Promise<Result>): Promise<Result> {
    if (!(await this.#ask('query-status')).isRunning) return run();
    await this.#recordHold(true);
    try {
      await this.change('stop');
      return await run();
    } finally {
      await this.letGo();
    }
  }

  /** Of a guest that was held still. */
  async letGo(): Promise<void> {
    await this.change('cont');
    await this.#recordHold(false);
  }
}
