import type { DeviceEvent, VmPower } from '@kvorum/hypervisor-driver';
import type { VmCondition } from './vm-condition.js';

/** A guest that has run for so long after its watchdog ran out is taken to be well again. */
export const WATCHDOG_SHOWN_MS = 10 * 60_000;
/** One that was paused is over as soon as somebody let it go on; the event comes a moment before the pause does. */
export const PAUSE_SHOWN_MS = 5_000;

type WatchdogAction = Extract<DeviceEvent, { kind: 'watchdog-expired' }>['action'];

/** In the words that an operator reads. */
const ACTION_TAKEN: Record<WatchdogAction, string> = {
  report: 'nothing was done',
  reset: 'it was reset',
  shutdown: 'its power button was pressed',
  poweroff: 'it was powered off',
  pause: 'it stands still',
  'inject-nmi': 'it was sent an NMI',
};

/** What events of a VM's devices mean for the people who look at it. */
export class DeviceConditions {
  #watchdog: { readonly condition: VmCondition; readonly lastMs: number; readonly shownMs: number } | null = null;
  /** Stay until the VM has ended. */
  readonly #lost = new Map<DeviceEvent['kind'], VmCondition>();

  get conditions(): readonly VmCondition[] {
    return [...(this.#watchdog === null ? [] : [this.#watchdog.condition]), ...this.#lost.values()];
  }

  hear(event: DeviceEvent, nowMs: number): void {
    if (event.kind !== 'watchdog-expired') {
      const { kind, detail } = event;
      if (!this.#lost.has(kind)) this.#lost.set(kind, { kind, sinceMs: nowMs, detail });
      return;
    }
    const sinceMs = this.#watchdog?.condition.sinceMs ?? nowMs;
    const shownMs = event.action === 'pause' ? PAUSE_SHOWN_MS : WATCHDOG_SHOWN_MS;
    const detail = `the guest stopped feeding its watchdog; ${ACTION_TAKEN[event.action]}`;
    this.#watchdog = { condition: { kind: 'watchdog-expired', sinceMs, detail }, lastMs: nowMs, shownMs };
  }

  /** Forgets what is over. `power`: as the monitor says now. */
  settle(power: VmPower, nowMs: number): void {
    if (this.#watchdog === null || power !== 'running') return;
    const { lastMs, shownMs } = this.#watchdog;
    if (nowMs - lastMs >= shownMs) this.#watchdog = null;
  }
}
