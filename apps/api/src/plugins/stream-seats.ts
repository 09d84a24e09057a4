import { DomainError } from '@kvorum/schema';

/** Event streams that one token may hold open. A dashboard holds one or two per window. */
export const STREAMS_PER_TOKEN_MAX = 64;

/** Bounds what stays open: each stream costs a socket and queries for as long as its reader likes. */
export class StreamSeats {
  readonly #taken = new Map<string, number>();

  /** Takes a seat and returns how to leave it; throws `rate_limited` when the token has none left. */
  take(owner: string): () => void {
    const count = this.#taken.get(owner) ?? 0;
    if (count >= STREAMS_PER_TOKEN_MAX) {
      throw new DomainError('rate_limited', `a token may hold ${STREAMS_PER_TOKEN_MAX} event streams open; close one`);
    }
    this.#taken.set(owner, count + 1);
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      const left = (this.#taken.get(owner) ?? 1) - 1;
      if (left === 0) this.#taken.delete(owner);
      else this.#taken.set(owner, left);
    };
  }
}
