import type { VmMemoryUse } from '@kvorum/hypervisor-driver';
import { MIB } from '@kvorum/schema';
import type { Log } from '../log.js';
import type { VmActor } from '../vm/vm-actor.js';

/** The kernel walks the page tables of the process for it: some ms per GiB. */
const MEASURE_INTERVAL_MS = 60_000;
/** The figure moves all the time; it is told anew once it has moved by this much. */
const REPORT_STEP_BYTES = 4 * MIB;

interface Measured {
  readonly epoch: number;
  readonly overheadBytes: number;
}

/** What each VM's process really takes beyond its guest's memory, to be shown beside what was promised. */
export class OverheadMeter {
  readonly #actors: () => readonly VmActor[];
  readonly #log: Log;
  readonly #measured = new Map<string, Measured>();
  #timer: NodeJS.Timeout | null = null;
  #isBusy = false;

  constructor(actors: () => readonly VmActor[], log: Log) {
    this.#actors = actors;
    this.#log = log;
  }

  start(intervalMs = MEASURE_INTERVAL_MS): void {
    this.#timer ??= setInterval(() => void this.measure(), intervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Of this run; null: not measured yet. */
  overheadOf(vmId: string, epoch: number): number | null {
    const measured = this.#measured.get(vmId);
    return measured?.epoch === epoch ? measured.overheadBytes : null;
  }

  /** One VM after the other: it is never urgent. */
  async measure(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const actors = this.#actors();
      const present = new Set(actors.map((actor) => actor.vmId));
      for (const vmId of this.#measured.keys()) if (!present.has(vmId)) this.#measured.delete(vmId);
      for (const actor of actors) await this.#measure(actor);
    } finally {
      this.#isBusy = false;
    }
  }

  async #measure(actor: VmActor): Promise<void> {
    const { live, vmId } = actor;
    if (live === null || live.exit !== null) return;
    const use: VmMemoryUse | null = await live.vm.measureMemory().catch(() => null);
    if (use === null) return;
    const before = this.overheadOf(vmId, live.epoch);
    if (before !== null && Math.abs(use.overheadBytes - before) < REPORT_STEP_BYTES) return;
    this.#measured.set(vmId, { epoch: live.epoch, overheadBytes: use.overheadBytes });
    this.#log.debug({ vmId, ...use }, "a VM's memory was measured");
  }
}
