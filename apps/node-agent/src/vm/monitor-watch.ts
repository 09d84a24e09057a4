import type { Log } from '../log.js';
import type { VmActor } from './vm-actor.js';

/** With MONITOR_TIMEOUT_MS the bound on finding a hang: 8 s and a tick. 50 VMs cost ten answers of under 1 ms per second. */
const CHECK_INTERVAL_MS = 5_000;
/** Answers take under 1 ms; a main loop that is silent for so long is not about its work. */
const MONITOR_TIMEOUT_MS = 3_000;
const TICK_MS = 250;

interface Watched {
  dueMs: number;
  isBusy: boolean;
}

/**
 * Looks after what the agent cannot hear of by itself: monitors that hang, disks that have space again, volumes that could not be
 * released, VMs that could not be examined when the agent started. Each VM has its own turn, spread over the interval, so that one never waits for
 * another; a hanging one has a single question waiting at it, whatever time passes.
 */
export class MonitorWatch {
  readonly #actors: () => readonly VmActor[];
  readonly #log: Log;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #watched = new WeakMap<VmActor, Watched>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    actors: () => readonly VmActor[],
    log: Log,
    { intervalMs = CHECK_INTERVAL_MS, timeoutMs = MONITOR_TIMEOUT_MS } = {},
  ) {
    this.#actors = actors;
    this.#log = log;
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(Date.now()), Math.min(TICK_MS, this.#intervalMs));
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(nowMs: number): void {
    for (const actor of this.#actors()) {
      if (actor.live === null && !actor.isUnexamined && !actor.isHoldingVolumes) continue;
      const watched = this.#watchedOf(actor, nowMs);
      if (watched.isBusy || watched.dueMs > nowMs) continue;
      void this.#look(actor, watched);
    }
  }

  #watchedOf(actor: VmActor, nowMs: number): Watched {
    const known = this.#watched.get(actor);
    if (known !== undefined) return known;
    // Spread from the start: after a restart of the agent all VMs of the host are new at once.
    const watched: Watched = { dueMs: nowMs + Math.random() * this.#intervalMs, isBusy: false };
    this.#watched.set(actor, watched);
    return watched;
  }

  async #look(actor: VmActor, watched: Watched): Promise<void> {
    watched.isBusy = true;
    try {
      if (actor.isUnexamined) await actor.recover();
      await actor.live?.check(this.#timeoutMs);
      if (actor.live?.isOutOfDisk === true) await actor.resumeWithSpace();
      if (actor.isHoldingVolumes) await actor.releaseVolumes();
    } catch (thrown) {
      this.#log.debug({ vmId: actor.vmId, error: String(thrown) }, 'a VM could not be looked after');
    } finally {
      watched.isBusy = false;
      watched.dueMs = Date.now() + this.#intervalMs;
    }
  }
}
