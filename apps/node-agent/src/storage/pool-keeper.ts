import type { PoolFacts, StoragePool } from '@kvorum/host-storage';
import { DomainError } from '@kvorum/schema';
import { answerWithin } from '../answer-within.js';
import type { Log } from '../log.js';
import type { KnownPools } from './known-pools.js';
import type { OpenPool } from './open-pool.js';
import type { PoolOption } from './pool-option.js';

/** Room changes over minutes; a mount that is back should not wait longer. */
const LOOK_INTERVAL_MS = 30_000;
/** An agent starts without what takes longer to open. */
const START_WAIT_MS = 10_000;
/** What answers later than this hangs; while it does, nothing else is asked of it. In Ceph several tools have to connect; those of LVM wait for each other. */
const LOOK_TIMEOUT_MS = { dir: 10_000, 'shared-dir': 10_000, rbd: 45_000, 'lvm-thin': 45_000 } as const;
const ANSWERS = { dir: 'its file system', 'shared-dir': 'its file system', rbd: 'Ceph', 'lvm-thin': 'LVM' } as const;

/** What is known of one of the host's pools. */
export interface PoolStatus {
  readonly option: PoolOption;
  /** Null: it could never be opened by this host. */
  readonly poolId: string | null;
  readonly pool: StoragePool | null;
  readonly facts: PoolFacts | null;
  /** Why it cannot be used; null: it can. */
  readonly fault: string | null;
}

export interface PoolKeeperOptions {
  readonly options: readonly PoolOption[];
  readonly open: OpenPool;
  readonly known: KnownPools;
  /** Something that is reported of the pools is different. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly lookIntervalMs?: number;
}

/**
 * The storage pools of this host. One that cannot be opened keeps neither the agent nor the others from working: it is tried again
 * until it can be. One whose file system has gone, or hangs, is out of use until it is back.
 */
export class PoolKeeper {
  readonly #options: PoolKeeperOptions;
  readonly #statuses = new Map<string, PoolStatus>();
  /** Looks that go on, by the pool's name: at most one per pool, however long it takes. */
  readonly #looks = new Map<string, Promise<void>>();
  readonly #chores = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: PoolKeeperOptions) {
    this.#options = options;
    for (const option of options.options) {
      const poolId = options.known.idOf(option.name);
      this.#statuses.set(option.name, { option, poolId, pool: null, facts: null, fault: 'not opened yet' });
    }
  }

  get statuses(): readonly PoolStatus[] {
    return [...this.#statuses.values()];
  }

  /** Opens what can be opened soon; then looks after all pools until `stop`. */
  async start(): Promise<void> {
    await answerWithin(this.look(), START_WAIT_MS);
    if (this.#statuses.size === 0) return;
    const { lookIntervalMs = LOOK_INTERVAL_MS } = this.#options;
    this.#timer ??= setInterval(() => void this.look(), lookIntervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Throws `not_found` for a pool that this host was not given, `unavailable` for one that cannot be used now. */
  async get(poolId: string): Promise<StoragePool> {
    const isUsable = this.statuses.some((one) => one.poolId === poolId && one.pool !== null && one.fault === null);
    // What was mounted a moment ago is found by whoever asks for it.
    if (!isUsable) await this.#lookAtAll(({ fault, poolId: id }) => fault !== null && (id === null || id === poolId));
    const status = this.statuses.find((one) => one.poolId === poolId);
    if (status === undefined) throw new DomainError('not_found', `this host has no storage pool ${poolId}`);
    if (status.pool !== null && status.fault === null) return status.pool;
    throw new DomainError('unavailable', `the storage pool ${status.option.name} cannot be used: ${status.fault}`);
  }

  /** Has the pool room for what VMs write? False as well while that is not known. */
  async hasRoom(poolId: string): Promise<boolean> {
    const status = this.statuses.find((one) => one.poolId === poolId);
    if (status === undefined) return false;
    await this.#lookAt(status.option);
    const { fault, facts } = this.#statuses.get(status.option.name) ?? status;
    return fault === null && facts?.isAboveHighWater === false;
  }

  /** Opens the pools that are not open and measures the others. */
  async look(): Promise<void> {
    await this.#lookAtAll(() => true);
  }

  /** Merges what a VM that has stopped no longer keeps apart, in the background: one volume after the other on each pool. */
  shortenLater(poolId: string, volumeId: string): void {
    const before = this.#chores.get(poolId) ?? Promise.resolve();
    const chore = before.then(async () => {
      try {
        await (await this.get(poolId)).shortenVolume(volumeId);
      } catch (thrown) {
        // The next verb on the volume, or its next stop, does it.
        this.#options.log.debug({ poolId, volumeId, error: String(thrown) }, 'a volume was not shortened');
      }
    });
    this.#chores.set(poolId, chore);
  }

  async #lookAtAll(isMeant: (status: PoolStatus) => boolean): Promise<void> {
    await Promise.all(this.statuses.filter(isMeant).map(({ option }) => this.#lookAt(option)));
  }

  async #lookAt(option: PoolOption): Promise<void> {
    const looked =
      this.#looks.get(option.name) ??
      this.#measure(option)
        .catch((thrown: unknown) => this.#failed(option, thrown))
        .then((status) => this.#put(status))
        .finally(() => this.#looks.delete(option.name));
    this.#looks.set(option.name, looked);
    const timeoutMs = LOOK_TIMEOUT_MS[option.driver];
    const answer = await answerWithin(
      looked.then(() => true),
      timeoutMs,
    );
    if (answer !== null) return;
    const status = this.#statusOf(option);
    this.#put({ ...status, fault: `${ANSWERS[option.driver]} has not answered for ${timeoutMs} ms` });
  }

  async #measure(option: PoolOption): Promise<PoolStatus> {
    const { known, open } = this.#options;
    const status = this.#statusOf(option);
    const knownId = known.idOf(option.name);
    const pool = status.pool ?? (await open(option, knownId));
    const twin = this.statuses.find(
      ({ pool: other, option: { name } }) => other?.id === pool.id && name !== option.name,
    );
    if (twin !== undefined) throw new DomainError('conflict_state', `it is the pool ${twin.option.name}`);
    await known.put(option.name, pool.id);
    return { option, poolId: pool.id, pool, facts: await pool.observe(), fault: null };
  }

  #failed(option: PoolOption, thrown: unknown): PoolStatus {
    const fault = thrown instanceof Error ? thrown.message : String(thrown);
    // Opened anew next time: what was opened may be the folder below a mount that is gone.
    return { option, poolId: this.#options.known.idOf(option.name), pool: null, facts: null, fault };
  }

  #statusOf(option: PoolOption): PoolStatus {
    const status = this.#statuses.get(option.name);
    if (status === undefined) throw new RangeError(`there is no pool ${option.name}`);
    return status;
  }

  #put(status: PoolStatus): void {
    const { name } = status.option;
    const before = this.#statuses.get(name);
    this.#statuses.set(name, status);
    if (
      JSON.stringify([before?.poolId, before?.facts, before?.fault]) !==
      JSON.stringify([status.poolId, status.facts, status.fault])
    )
      this.#options.onChange();
    if (status.fault !== null && status.fault !== before?.fault) {
      this.#options.log.warn({ pool: name, reason: status.fault }, 'a storage pool cannot be used; trying again');
    }
  }
}
