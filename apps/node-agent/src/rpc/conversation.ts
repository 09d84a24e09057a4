/** A call that is a stream in both directions. */
export interface Conversation<Request, Response> {
  readonly requests: AsyncIterable<Request>;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
  /** Resolves when the peer has room for more. */
  write(response: Response): Promise<void>;
}
