import type { HostReport } from '@kvorum/schema/agent-wire';
import { checkReport } from './check-report.js';
import { coalesceReports } from './coalesce-reports.js';

/** Reports a host may send in a burst, and steadily per second: at once on each change, else one in 2 s. */
const BURST_COUNT = 200;
const REPORTS_PER_SECOND = 50;

/**
 * Takes reports in as they come and hands them on one at a time, in order. While one is being handled the rest melt into one
 * waiting report, so a slow database never makes a queue. A host that sends too fast is read more slowly: HTTP/2's flow
 * control then holds it back, and no memory of ours fills.
 */
export class ReportReader {
  #waiting: HostReport | null = null;
  #isHandling = false;
  #allowance = BURST_COUNT;
  #allowanceAtMs: number;
  readonly #handle: (report: HostReport) => Promise<void>;
  readonly #nowMs: () => number;

  constructor(handle: (report: HostReport) => Promise<void>, nowMs: () => number) {
    this.#handle = handle;
    this.#nowMs = nowMs;
    this.#allowanceAtMs = nowMs();
  }

  /** Throws `invalid_request` for a report out of bounds. Returns how long, in ms, not to read further. */
  take(report: HostReport): number {
    const checked = checkReport(report);
    this.#waiting = this.#waiting === null ? checked : checkReport(coalesceReports(this.#waiting, checked));
    return this.#pauseMs();
  }

  /** Handles what waits, until nothing does. Calls while one is under way return at once; it takes their reports along. */
  async drain(): Promise<void> {
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      while (this.#waiting !== null) {
        const report = this.#waiting;
        this.#waiting = null;
        await this.#handle(report);
      }
    } finally {
      this.#isHandling = false;
    }
  }

  #pauseMs(): number {
    const nowMs = this.#nowMs();
    const earned = ((nowMs - this.#allowanceAtMs) / 1000) * REPORTS_PER_SECOND;
    this.#allowance = Math.min(BURST_COUNT, this.#allowance + earned) - 1;
    this.#allowanceAtMs = nowMs;
    return this.#allowance >= 0 ? 0 : Math.ceil((-this.#allowance / REPORTS_PER_SECOND) * 1000);
  }
}
