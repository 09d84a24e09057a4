/**
 * The bell wakes workers: it carries an operation's id and nothing else. Ringing twice, late, or never does no harm, for
 * the row in PostgreSQL is the truth and a reconciler rings for rows that nobody works on.
 * Implemented on BullMQ (bullmq-bell.ts) with its PostgreSQL or its Redis backend.
 */
export interface Bell {
  /** Never throws and never takes long: a ring that cannot be delivered is lost, and the reconciler rings. */
  ring(operationId: string, options?: { delayMs?: number }): Promise<void>;
  /**
   * Rings for operations that nobody works on. Unlike a ring, a reminder is folded into an earlier one of the last seconds
   * about the same lease token, so that reminders do not pile up while all workers are busy, and yet a worker that died
   * with one in its hands does not keep the next one back.
   */
  remind(unattended: readonly UnattendedOperation[]): Promise<void>;
  /** Calls `work` for each ring, at most `concurrency` at a time, until closed. */
  listen(work: (operationId: string) => Promise<void>, options: { concurrency: number }): Promise<BellListener>;
  close(): Promise<void>;
}

export interface UnattendedOperation {
  readonly operationId: string;
  readonly leaseToken: number;
}

export interface BellListener {
  /** Takes no new rings and waits for running work, at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}
