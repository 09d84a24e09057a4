/** Of one call to an agent. */
export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}
