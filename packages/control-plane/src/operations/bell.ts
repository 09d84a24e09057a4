/**
 * The bell wakes workers: it carries an operation's id and nothing else. Ringing twice, late, or never does no harm, for
 * the row in PostgreSQL is the truth and a reconciler rings for rows that nobody works on.
 * Implemented on BullMQ (bullmq-bell.ts) with its PostgreSQL or its Redis backend.
 */
export interface Bell {
  ring(operationId: string, options?: { delayMs?: number }): Promise<void>;
  /** Calls `work` for each ring, at most `concurrency` at a time, until closed. */
  listen(work: (operationId: string) => Promise<void>, options: { concurrency: number }): Promise<BellListener>;
  close(): Promise<void>;
}

export interface BellListener {
  /** Takes no new rings and waits for running work, at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}
