import { readFile } from 'node:fs/promises';
import { linkName, type NetworkFault } from '@kvorum/host-network';
import { replaceFile } from '@kvorum/host-storage';
import { DomainError, type HostNetwork, HostNetworks, type HostPort, NO_HOST_NETWORKS } from '@kvorum/schema';
import { z } from 'zod';
import type { Log } from '../log.js';

const NetworkRecord = z.object({ revision: z.int().min(0), desired: HostNetworks });
type NetworkRecord = z.infer<typeof NetworkRecord>;

/** A dnsmasq that died, an interface that somebody removed: looked for so often, by some dozen commands. */
const AUDIT_MS = 60_000;
const RETRY_MS = 5_000;

export interface NetworkKeeperOptions {
  /** Durable: what is desired, so that a host that starts has its networks without the control plane. */
  readonly file: string;
  /** Makes the host have these networks; see applyNetworks of host-network. */
  readonly apply: (desired: HostNetworks) => Promise<NetworkFault[]>;
  readonly log: Log;
}

export interface PortOnHost {
  /** Its tap. */
  readonly interfaceName: string;
  /** Largest packet of its network. */
  readonly mtu: number;
  readonly address: string;
  readonly network: Pick<HostNetwork, 'kind' | 'cidr' | 'gateway' | 'dnsDomain'>;
}

/**
 * The networks of this host: what is desired is on disk before anything is done, and made one application after the other. Each makes
 * all that is desired when it begins, so that whoever comes while one is under way shares the next one, however many they are.
 * It is made again when the agent starts, at times, and sooner after a failure.
 */
export class NetworkKeeper {
  readonly #options: NetworkKeeperOptions;
  #record: NetworkRecord;
  #written: Promise<unknown> = Promise.resolve();
  #applied: Promise<unknown> = Promise.resolve();
  /** The application that has not begun; null: nobody waits for one. */
  #next: Promise<readonly NetworkFault[]> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  /** Null: not applied by this agent yet. */
  #faults: readonly NetworkFault[] | null = null;

  private constructor(options: NetworkKeeperOptions, record: NetworkRecord) {
    this.#options = options;
    this.#record = record;
  }

  static async open(options: NetworkKeeperOptions): Promise<NetworkKeeper> {
    return new NetworkKeeper(options, await readRecord(options));
  }

  get revision(): number {
    return this.#record.revision;
  }

  /** Applies what an earlier agent was told, and again from time to time. A host that never had networks is left alone. */
  start(): void {
    if (this.#record.revision > 0) void this.#applyAgain();
  }

  /**
   * Makes these the networks of the host. Answers with those that are not as they are to be. Throws `stale_generation` for
   * a revision below the highest seen, `host_fault` when no network could be looked at; what is desired is kept and tried
   * again in any case.
   */
  async ensure(revision: number, desired: HostNetworks): Promise<readonly NetworkFault[]> {
    this.#assertOpen();
    const written = this.#written.then(() => this.#write(revision, desired));
    this.#written = written.catch(() => undefined);
    await written;
    return this.#applyNext();
  }

  async #write(revision: number, desired: HostNetworks): Promise<void> {
    const { revision: seen } = this.#record;
    if (revision < seen) {
      throw new DomainError('stale_generation', `networks of revision ${revision} are older than those of ${seen}`, {
        details: { revision: seen },
      });
    }
    if (revision === seen) return;
    const record = { revision, desired };
    await replaceFile(this.#options.file, JSON.stringify(record));
    this.#record = record;
  }

  /** Null: no VM of this host has the port. Waits for what is being made, so that its tap is there. */
  async portOf(portId: string): Promise<PortOnHost | null> {
    await this.#written;
    await this.#applied;
    for (const network of this.#record.desired.networks) {
      const port = network.ports.find(({ id }) => id === portId);
      if (port === undefined) continue;
      return { interfaceName: linkName('tap', portId), mtu: network.mtu, address: port.address, network };
    }
    return null;
  }

  /** Whose address of a network it is; null: of no VM of this host. */
  portAt(networkId: string, address: string): HostPort | null {
    const network = this.#record.desired.networks.find(({ id }) => id === networkId);
    return network?.ports.find((port) => port.address === address) ?? null;
  }

  /** Networks stay as they are. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#written;
    await this.#applied;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DomainError('unavailable', 'the agent is shutting down; ask again');
  }

  #applyNext(): Promise<readonly NetworkFault[]> {
    this.#assertOpen();
    this.#next ??= this.#applied.then(() => {
      this.#next = null;
      return this.#apply();
    });
    this.#applied = this.#next.catch(() => undefined);
    return this.#next;
  }

  async #applyAgain(): Promise<void> {
    if (this.#isClosed) return;
    await this.#applyNext().catch(() => undefined);
  }

  async #apply(): Promise<readonly NetworkFault[]> {
    const { log, apply } = this.#options;
    const { revision, desired } = this.#record;
    try {
      const faults = await apply(desired);
      this.#tellOf(faults);
      this.#again(faults.length === 0 ? AUDIT_MS : RETRY_MS);
      return faults;
    } catch (thrown) {
      log.warn({ revision, error: String(thrown) }, 'the networks of this host could not be made');
      this.#again(RETRY_MS);
      throw thrown;
    }
  }

  #tellOf(faults: readonly NetworkFault[]): void {
    const isTold = (fault: NetworkFault) =>
      this.#faults?.some(
        ({ networkId, error }) => networkId === fault.networkId && error.message === fault.error.message,
      ) === true;
    for (const fault of faults.filter((each) => !isTold(each))) {
      const { networkId, error } = fault;
      this.#options.log.warn({ networkId, reason: error.message }, 'a network is not as it is to be');
    }
    this.#faults = faults;
  }

  #again(afterMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#applyAgain(), afterMs);
    this.#timer.unref();
  }
}

/** A damaged file is no reason to have no agent: the networks stay as they are until the control plane sends them again. */
async function readRecord({ file, log }: NetworkKeeperOptions): Promise<NetworkRecord> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const nothing = { revision: 0, desired: NO_HOST_NETWORKS };
  if (text === null) return nothing;
  try {
    return NetworkRecord.parse(JSON.parse(text));
  } catch (thrown) {
    log.warn({ file, error: String(thrown) }, 'the record of the networks is damaged; waiting for the control plane');
    return nothing;
  }
}
