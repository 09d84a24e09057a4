import { setTimeout as sleep } from 'node:timers/promises';
import type { StoragePool } from '@kvorum/host-storage';
import { type LayerMerge, type MergeProgress, ROOT_DISK_ID, type RunningVm } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import type { Log } from '../log.js';
import type { VmActor } from '../vm/vm-actor.js';
import type { PoolKeeper } from './pool-keeper.js';

/** A snapshot that was removed is told at once; this is for what an earlier agent has left, and for what could not be done. */
const LOOK_INTERVAL_MS = 30_000;
const POLL_MS = 500;
/** After one that failed, as on a full pool, or through a monitor that hangs. */
const PAUSE_MS = 5 * 60_000;

/** An open volume of a VM that runs. */
interface OpenVolume {
  readonly vm: RunningVm;
  readonly diskId: string;
  readonly volumeId: string;
  readonly poolId: string;
}

interface Turn {
  readonly volumeId: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export interface MergeKeeperOptions {
  readonly actors: () => readonly VmActor[];
  readonly pools: Pick<PoolKeeper, 'get'>;
  /** What a merge may write; its reads come on top. */
  readonly bytesPerSecond: number;
  readonly log: Log;
  readonly lookIntervalMs?: number;
  readonly pollMs?: number;
}

/**
 * Has running VMs merge the layers of their volumes that no snapshot keeps apart any more: one at a time on the host, so that the others'
 * disks are left alone. What has begun is on record with the volume; an agent that comes back goes on with it. Whatever else is done
 * to a volume comes first, by `holding`.
 */
export class MergeKeeper {
  readonly #options: MergeKeeperOptions;
  /** How many want the volume left alone. */
  readonly #held = new Map<string, number>();
  /** Volumes on which a merge failed, with when to try again (monotonic). */
  readonly #pausedUntilMs = new Map<string, number>();
  readonly #closing = new AbortController();
  #wake = new AbortController();
  #turn: Turn | null = null;
  #running: Promise<void> | null = null;

  constructor(options: MergeKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Merges that are under way go on in the VMs' processes; the next agent finds them. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    await this.#running;
  }

  /** There may be something to merge now. */
  nudge(): void {
    this.#wake.abort();
  }

  /** Runs a task with no merge of these volumes under way, and none begun meanwhile. */
  async holding<Result>(volumeIds: readonly string[], task: () => Promise<Result>): Promise<Result> {
    for (const id of volumeIds) this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    try {
      const turn = this.#turn;
      if (turn !== null && volumeIds.includes(turn.volumeId)) {
        turn.stop.abort();
        await turn.ended;
      }
      for (const open of this.#openVolumes().filter(({ volumeId }) => volumeIds.includes(volumeId))) {
        await this.#end(await this.#options.pools.get(open.poolId), open);
      }
      return await task();
    } finally {
      for (const id of volumeIds) {
        const left = (this.#held.get(id) ?? 1) - 1;
        if (left === 0) this.#held.delete(id);
        else this.#held.set(id, left);
      }
      this.nudge();
    }
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#wake = new AbortController();
      const open = this.#openVolumes();
      for (const id of this.#pausedUntilMs.keys()) {
        if (!open.some(({ volumeId }) => volumeId === id)) this.#pausedUntilMs.delete(id);
      }
      for (const one of open) await this.#take(one);
      const { lookIntervalMs = LOOK_INTERVAL_MS } = this.#options;
      await pause(lookIntervalMs, AbortSignal.any([this.#wake.signal, this.#closing.signal]));
    }
  }

  /** All merges of one volume, one after the other. */
  async #take(open: OpenVolume): Promise<void> {
    const { volumeId } = open;
    const isPaused = (this.#pausedUntilMs.get(volumeId) ?? 0) > performance.now();
    if (isPaused || this.#held.has(volumeId) || this.#closing.signal.aborted) return;
    const stop = new AbortController();
    const ended = this.#mergeAll(open, stop.signal).catch((thrown: unknown) => this.#failed(open, thrown));
    this.#turn = { volumeId, stop, ended };
    await ended;
    this.#turn = null;
  }

  async #mergeAll(open: OpenVolume, stop: AbortSignal): Promise<void> {
    const { pools, bytesPerSecond, log } = this.#options;
    const pool = await pools.get(open.poolId);
    const given = AbortSignal.any([stop, this.#closing.signal]);
    while (!given.aborted) {
      const merge = await pool.beginMerge(open.volumeId);
      if (merge === null) return;
      const progress = await this.#follow(open, { ...merge, diskId: open.diskId, bytesPerSecond }, given);
      if (this.#closing.signal.aborted) return;
      await this.#end(pool, open);
      const { volumeId, vm } = open;
      log.info({ vmId: vm.vmId, volumeId, ...progress }, 'a merge of two layers of a volume has ended');
      if (progress.state === 'failed') throw new DomainError('host_fault', progress.detail);
    }
  }

  async #follow({ vm }: OpenVolume, merge: LayerMerge, given: AbortSignal): Promise<MergeProgress> {
    const { pollMs = POLL_MS } = this.#options;
    for (;;) {
      const progress = await vm.mergeLayer(merge);
      if (progress.state !== 'running' || given.aborted) return progress;
      await pause(pollMs, given);
    }
  }

  /** A process that has ended merges nothing; what it leaves is finished when its volumes are released. */
  async #end(pool: StoragePool, { vm, diskId, volumeId }: OpenVolume): Promise<void> {
    try {
      await pool.endMerge(volumeId, () => vm.endMerges(diskId));
    } catch (thrown) {
      if (!(thrown instanceof DomainError) || thrown.code !== 'guest_fault') throw thrown;
    }
  }

  #failed({ volumeId, vm }: OpenVolume, thrown: unknown): void {
    const hasEnded = thrown instanceof DomainError && thrown.code === 'guest_fault';
    if (hasEnded) return;
    this.#pausedUntilMs.set(volumeId, performance.now() + PAUSE_MS);
    this.#options.log.warn(
      { vmId: vm.vmId, volumeId, error: String(thrown) },
      'layers of a volume were not merged; trying again later',
    );
  }

  #openVolumes(): OpenVolume[] {
    return this.#options.actors().flatMap(({ live, record }) => {
      if (live === null || live.exit !== null || record === null) return [];
      const rootId = record.spec?.rootVolumeId;
      return record.claims.map(({ volumeId, poolId }) => ({
        vm: live.vm,
        diskId: volumeId === rootId ? ROOT_DISK_ID : volumeId,
        volumeId,
        poolId,
      }));
    });
  }
}

/** Ends early when the signal comes. */
async function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  await sleep(timeMs, undefined, { ref: false, signal }).catch(() => undefined);
}
