import { DomainError } from '@kvorum/schema';
import type { HostPeerIdentity } from '../rpc/authenticate-caller.js';
import type { Offer } from '../vm/vm-record.js';

/** One per host and image that is being fetched from here; the oldest goes first, and its host asks the control plane instead. */
const OFFERS_MAX = 1_000;

/** May this peer have what was offered, now? */
export const isFor = (offer: Offer, peer: HostPeerIdentity): boolean =>
  offer.targetHostId === peer.hostId && offer.fingerprints.includes(peer.fingerprint) && Date.now() < offer.untilMs;

/** Which hosts may read which images from here. Kept in memory: a host that is refused has the control plane to ask. */
export class ImageOffers {
  readonly #offers = new Map<string, Offer>();

  add(sha256: string, offer: Offer): void {
    const key = `${sha256} ${offer.targetHostId}`;
    this.#offers.delete(key);
    this.#offers.set(key, offer);
    const oldest = this.#offers.keys().next();
    if (this.#offers.size > OFFERS_MAX && !oldest.done) this.#offers.delete(oldest.value);
  }

  /** Throws `forbidden` unless the image was offered to that peer and still is. */
  require(sha256: string, peer: HostPeerIdentity): void {
    const offer = this.#offers.get(`${sha256} ${peer.hostId}`);
    if (offer !== undefined && isFor(offer, peer)) return;
    throw new DomainError('forbidden', 'this image is not offered to this host (any more)');
  }
}
