import type { HostId } from '@kvorum/schema';
import type { PeerIdentity } from './peer-identity.js';

/** A revocation is noticed at the next report (every 2 s) after this. */
const TRUSTED_FOR_MS = 1000;
/** Certificates remembered at once: two for each host of the largest site. */
const PEER_COUNT_MAX = 20_000;

/**
 * Asks whether a peer is a host we trust, and remembers a yes for a second: cheap enough to ask at every report and every part
 * of an image. Questions asked at the same time share one answer. A no is never remembered.
 */
export class HostTrust {
  readonly #authorise: (peer: PeerIdentity) => Promise<HostId>;
  readonly #nowMs: () => number;
  readonly #answers = new Map<string, { answer: Promise<HostId>; askedAtMs: number }>();

  constructor(authorise: (peer: PeerIdentity) => Promise<HostId>, nowMs: () => number) {
    this.#authorise = authorise;
    this.#nowMs = nowMs;
  }

  /** Ask anew next time: somebody who looked more closely does not trust the peer. */
  forget(peer: PeerIdentity): void {
    this.#answers.delete(keyOf(peer));
  }

  /** The host behind the certificate; throws `host_not_trusted`. */
  async hostOf(peer: PeerIdentity): Promise<HostId> {
    const key = keyOf(peer);
    const known = this.#answers.get(key);
    if (known !== undefined && this.#nowMs() - known.askedAtMs < TRUSTED_FOR_MS) return known.answer;
    this.#answers.delete(key);
    const oldest = this.#answers.keys().next();
    if (this.#answers.size >= PEER_COUNT_MAX && !oldest.done) this.#answers.delete(oldest.value);
    const asked = { answer: this.#authorise(peer), askedAtMs: this.#nowMs() };
    this.#answers.set(key, asked);
    try {
      return await asked.answer;
    } catch (error) {
      if (this.#answers.get(key) === asked) this.#answers.delete(key);
      throw error;
    }
  }
}

const keyOf = (peer: PeerIdentity): string => `${peer.fingerprintSha256} ${peer.spiffeId}`;
