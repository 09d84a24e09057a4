import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '@kvorum/host-storage';
import { DomainError, VmId } from '@kvorum/schema';
import { z } from 'zod';
import type { Log } from '../log.js';
import type { LiveVm } from '../vm/live-vm.js';

/** A guest flushes its file systems first. */
const FREEZE_TIMEOUT_MS = 20_000;
const THAW_TIMEOUT_MS = 5_000;
/** How often it is looked for freezes whose time is over: what a deadline may be late by. */
const TICK_MS = 250;
const THAW_AGAIN_MS_MIN = 1_000;
const THAW_AGAIN_MS_MAX = 10_000;

const FreezeRecord = z.strictObject({
  vmId: VmId,
  epoch: z.int().min(0),
  freezeId: z.uuid(),
  /** Unix ms. */
  thawsAtMs: z.int().min(0),
});
type FreezeRecord = z.infer<typeof FreezeRecord>;

interface Freeze {
  record: FreezeRecord;
  /** Somebody's freeze that is in force; otherwise it is only to be undone. */
  isHeld: boolean;
  isThawing: boolean;
  nextTryMs: number;
  waitMs: number;
}

export interface FreezeKeeperOptions {
  /** Durable, private to the agent. */
  readonly folder: string;
  /** The VM's run; null: it does not run. Undefined: that is not known yet. */
  readonly runOf: (vmId: string) => LiveVm | null | undefined;
  readonly log: Log;
}

/**
 * Frozen file systems of guests, none of which may stay frozen: a guest whose writes stand still is down. Each freeze has a deadline and
 * is on disk before the guest is asked for it. Whatever dies (who asked for it, the control plane, this agent), the guest is thawed: at
 * the deadline, or as soon as an agent is there again; and asked again and again until it obeys or its run is over.
 */
export class FreezeKeeper {
  readonly #options: FreezeKeeperOptions;
  readonly #freezes = new Map<string, Freeze>();
  #timer: NodeJS.Timeout | null = null;

  private constructor(options: FreezeKeeperOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier agent left frozen: its deadline is not waited for, as nobody counts on that freeze any more. */
  static async open(options: FreezeKeeperOptions): Promise<FreezeKeeper> {
    const keeper = new FreezeKeeper(options);
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(options.folder)) await keeper.#takeOver(join(options.folder, name));
    return keeper;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  isFrozen(vmId: string): boolean {
    return this.#freezes.has(vmId);
  }

  /**
   * Freezes all file systems of the guest for at most `durationMs`. Throws `conflict_state` if they are, or are to be thawed still;
   * what `GuestPort.freeze` throws, and then they are thawed if they have been frozen.
   */
  async freeze(live: LiveVm, durationMs: number): Promise<{ freezeId: string; count: number; thawsAtMs: number }> {
    const vmId = VmId.parse(live.vm.vmId);
    if (this.#freezes.has(vmId)) {
      throw new DomainError('conflict_state', 'the file systems of this guest are frozen already, or being thawed');
    }
    const record = { vmId, epoch: live.epoch, freezeId: randomUUID(), thawsAtMs: Date.now() + durationMs };
    const freeze: Freeze = { record, isHeld: true, isThawing: false, nextTryMs: 0, waitMs: THAW_AGAIN_MS_MIN };
    this.#freezes.set(vmId, freeze);
    try {
      await replaceFile(this.#pathOf(vmId), JSON.stringify(record));
      const count = await live.vm.guest.freeze(Math.min(FREEZE_TIMEOUT_MS, durationMs));
      if (freeze.isHeld) return { freezeId: record.freezeId, count, thawsAtMs: record.thawsAtMs };
      throw new DomainError('deadline_exceeded', `the guest took longer than ${durationMs} ms to freeze`);
    } catch (thrown) {
      // It may have obeyed all the same, or yet do so.
      freeze.isHeld = false;
      throw thrown;
    }
  }

  /**
   * Thaws the guest now, whoever froze it. `wasUnbroken`: the freeze of this id was in force until this moment, so that what was copied
   * meanwhile belongs together. Null: whichever freeze there is. Throws what `GuestPort.thaw` throws; it is then tried on.
   */
  async thaw(live: LiveVm, freezeId: string | null): Promise<{ count: number; wasUnbroken: boolean }> {
    const freeze = this.#freezes.get(live.vm.vmId);
    const isAskedFor = freeze !== undefined && (freezeId === null || freeze.record.freezeId === freezeId);
    const wasHeld =
      isAskedFor && freeze.isHeld && freeze.record.epoch === live.epoch && Date.now() < freeze.record.thawsAtMs;
    if (freeze !== undefined) freeze.isHeld = false;
    const count = await live.vm.guest.thaw(THAW_TIMEOUT_MS);
    await this.#forget(live.vm.vmId, freeze);
    return { count, wasUnbroken: wasHeld && count > 0 };
  }

  #tick(): void {
    const nowMs = Date.now();
    for (const [vmId, freeze] of this.#freezes) {
      if (freeze.isHeld && freeze.record.thawsAtMs > nowMs) continue;
      if (freeze.isThawing || freeze.nextTryMs > nowMs) continue;
      freeze.isHeld = false;
      freeze.isThawing = true;
      void this.#thawByForce(vmId, freeze).finally(() => {
        freeze.isThawing = false;
      });
    }
  }

  async #thawByForce(vmId: string, freeze: Freeze): Promise<void> {
    const { runOf, log } = this.#options;
    const live = runOf(vmId);
    try {
      // It is not known whether the VM runs: its actor finds out.
      if (live === undefined) throw new DomainError('unavailable', 'whether the VM runs is not known');
      if (live !== null && live.epoch === freeze.record.epoch) {
        const count = await live.vm.guest.thaw(THAW_TIMEOUT_MS);
        log.warn({ vmId, count, freezeId: freeze.record.freezeId }, 'the file systems of a guest were thawed by force');
      }
      await this.#forget(vmId, freeze);
    } catch (thrown) {
      log.warn({ vmId, error: String(thrown) }, 'a frozen guest could not be thawed; trying again');
      freeze.nextTryMs = Date.now() + freeze.waitMs;
      freeze.waitMs = Math.min(freeze.waitMs * 2, THAW_AGAIN_MS_MAX);
    }
  }

  async #forget(vmId: string, freeze: Freeze | undefined): Promise<void> {
    if (freeze === undefined || this.#freezes.get(vmId) !== freeze) return;
    await rm(this.#pathOf(vmId), { force: true });
    this.#freezes.delete(vmId);
  }

  async #takeOver(path: string): Promise<void> {
    const text = await readFile(path, 'utf8');
    const record = FreezeRecord.safeParse(parseJson(text));
    if (!record.success) {
      // Half of a write that a crash cut short: the guest had not been asked yet.
      await rm(path, { force: true });
      return;
    }
    const freeze = { record: record.data, isHeld: false, isThawing: false, nextTryMs: 0, waitMs: THAW_AGAIN_MS_MIN };
    this.#freezes.set(record.data.vmId, freeze);
  }

  #pathOf(vmId: string): string {
    return join(this.#options.folder, `${vmId}.json`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
