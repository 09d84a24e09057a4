/** Wakes readers of the event log when there may be something new. */
export interface EventSignal {
  /** Resolves at the next ring, when `signal` aborts, or after `timeoutMs`; never rejects. */
  wait(signal: AbortSignal, timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}
