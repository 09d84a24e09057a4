import { forEachBounded } from '../for-each-bounded.js';
import type { Log } from '../log.js';
import type { LiveVm } from '../vm/live-vm.js';
import type { VmActor } from '../vm/vm-actor.js';
import { describeDrift, findDrift } from './find-drift.js';
import type { HostCpus } from './host-cpus.js';

/** A look costs two system calls per thread: 50 VMs of 10 threads are read in some ms. */
const AUDIT_INTERVAL_MS = 10_000;
const VMS_AT_ONCE = 8;

export interface CpuKeeperOptions {
  readonly actors: () => readonly VmActor[];
  readonly cpus: HostCpus;
  readonly onChange: (vmId: string) => void;
  readonly log: Log;
  readonly intervalMs?: number;
}

/**
 * Keeps every thread of every VM where it belongs. `apply` moves them when a VM with CPUs of its own comes or goes. The audit
 * compares what the kernel says with what was promised: a difference that is not ours is the VM's condition `cpu-drift` first,
 * so that a person can learn of it, and put right by the next audit.
 */
export class CpuKeeper {
  readonly #options: CpuKeeperOptions;
  /** What each run was last told: another placement than that is no drift, but our own change. */
  readonly #applied = new WeakMap<LiveVm, string>();
  #timer: NodeJS.Timeout | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: CpuKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.audit(), this.#options.intervalMs ?? AUDIT_INTERVAL_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Resolves when the threads of all VMs are where the claims of now want them; one that does not answer is left to the audit. */
  apply(): Promise<void> {
    return this.#inTurn(() => this.#forEachLive((actor, live) => this.#place(actor, live)));
  }

  /** Looks at every thread of these VMs, or of all. */
  audit(vmIds: readonly string[] | null = null): Promise<void> {
    return this.#inTurn(() =>
      this.#forEachLive(async (actor, live) => {
        if (vmIds === null || vmIds.includes(actor.vmId)) await this.#audit(actor, live);
      }),
    );
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #forEachLive(work: (actor: VmActor, live: LiveVm) => Promise<unknown>): Promise<void> {
    await forEachBounded(this.#options.actors(), VMS_AT_ONCE, async (actor) => {
      const { live } = actor;
      if (live === null || live.exit !== null) return;
      await work(actor, live).catch((thrown: unknown) => {
        this.#options.log.debug({ vmId: actor.vmId, error: String(thrown) }, "a VM's threads could not be looked at");
      });
    });
  }

  async #place(actor: VmActor, live: LiveVm): Promise<boolean> {
    const placement = this.#options.cpus.placementOf(actor.vmId);
    const asText = JSON.stringify([placement.vcpuCpus, placement.otherCpus]);
    if (this.#applied.get(live) === asText) return false;
    const movedCount = await live.vm.placeThreads(placement);
    this.#applied.set(live, asText);
    if (movedCount > 0) this.#options.log.debug({ vmId: actor.vmId, movedCount }, 'threads of a VM were moved');
    return true;
  }

  async #audit(actor: VmActor, live: LiveVm): Promise<void> {
    if (await this.#place(actor, live)) return;
    const placement = this.#options.cpus.placementOf(actor.vmId);
    const { vmId } = actor;
    if (live.cpuDrift !== null) {
      const movedCount = await live.vm.placeThreads(placement);
      this.#options.log.info({ vmId, movedCount }, 'threads of a VM were put back on their CPUs');
    }
    const drift = findDrift(await live.vm.queryThreads(), placement);
    const before = live.cpuDrift;
    if (drift === null && before === null) return;
    const detail = drift === null ? '' : describeDrift(drift);
    live.cpuDrift = drift === null ? null : { kind: 'cpu-drift', sinceMs: before?.sinceMs ?? Date.now(), detail };
    if (drift !== null) this.#options.log.warn({ vmId, ...drift }, 'threads of a VM are not on their CPUs');
    if (before?.detail !== live.cpuDrift?.detail) this.#options.onChange(vmId);
  }
}
