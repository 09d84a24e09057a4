/** Tells the neighbours on an interface that these addresses are here now. */
export type Announce = (interfaceName: string, addresses: readonly string[]) => Promise<void>;

/**
 * After the first time: the host that had an address may still have answered for it, or a frame was lost. RFC 5227 section 2.3 says
 * two announcements, two seconds apart.
 */
const REPEATS_AFTER_MS = [2_000, 10_000];

/**
 * Announces each address once the host has begun to have it, and again when this process is new: it may have ended between the two.
 * Neighbours that knew the address elsewhere learn of it.
 */
export class FloatingAnnouncer {
  readonly #announce: Announce;
  readonly #known = new Set<string>();

  constructor(announce: Announce) {
    this.#announce = announce;
  }

  /** `addresses`: all that the host has now. Throws what `announce` throws; what was not announced is new the next time. */
  async ensure(interfaceName: string, addresses: readonly string[]): Promise<void> {
    const fresh = addresses.filter((address) => !this.#known.has(`${interfaceName} ${address}`));
    this.#known.clear();
    if (fresh.length > 0) await this.#announce(interfaceName, fresh);
    for (const address of addresses) this.#known.add(`${interfaceName} ${address}`);
    if (fresh.length === 0) return;
    for (const afterMs of REPEATS_AFTER_MS) this.#repeat(interfaceName, fresh, afterMs);
  }

  #repeat(interfaceName: string, addresses: readonly string[], afterMs: number): void {
    const timer = setTimeout(() => {
      const kept = addresses.filter((address) => this.#known.has(`${interfaceName} ${address}`));
      // The first one was heard; if the interface is gone meanwhile, the next application says so.
      if (kept.length > 0) this.#announce(interfaceName, kept).catch(() => undefined);
    }, afterMs);
    timer.unref();
  }
}
