import type { ReportReceipt } from '@kvorum/schema/agent-wire';

/**
 * Until when the control plane considers this host connected, as its last receipt says. Kept on the monotonic clock
 * (ms), which no change of the date moves.
 */
export class LeaseRecord {
  #lastReceipt: { readonly receivedAtMs: number; readonly leaseMs: number; readonly reportGeneration: number } | null =
    null;

  keep(receipt: ReportReceipt, nowMs: number): void {
    this.#lastReceipt = {
      receivedAtMs: nowMs,
      leaseMs: receipt.leaseMs,
      reportGeneration: receipt.reportGeneration,
    };
  }

  get lastReceipt() {
    return this.#lastReceipt;
  }

  /** Negative: it lapsed that long ago. null: there has been none. */
  remainingMs(nowMs: number): number | null {
    const last = this.#lastReceipt;
    return last === null ? null : last.receivedAtMs + last.leaseMs - nowMs;
  }
}
