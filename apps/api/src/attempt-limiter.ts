/**
 * Counts failed attempts per key in fixed windows, so that guessing is slowed while honest callers notice nothing.
 * Memory is bounded: past `keyCountMax` the oldest window is forgotten.
 */
export class AttemptLimiter {
  readonly #windows = new Map<string, { count: number; endsAtMs: number }>();
  readonly #limits: AttemptLimits;

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
  }

  /** 0: go on. Otherwise how long, in ms, this key has to wait. */
  waitMs(key: string, nowMs: number): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.endsAtMs <= nowMs || window.count < this.#limits.failureCountMax) return 0;
    return window.endsAtMs - nowMs;
  }

  recordFailure(key: string, nowMs: number): void {
    const window = this.#windows.get(key);
    if (window !== undefined && window.endsAtMs > nowMs) {
      window.count += 1;
      return;
    }
    this.#windows.delete(key);
    const oldest = this.#windows.keys().next();
    if (this.#windows.size >= this.#limits.keyCountMax && !oldest.done) this.#windows.delete(oldest.value);
    this.#windows.set(key, { count: 1, endsAtMs: nowMs + this.#limits.windowMs });
  }
}

export interface AttemptLimits {
  readonly failureCountMax: number;
  readonly windowMs: number;
  readonly keyCountMax: number;
}
