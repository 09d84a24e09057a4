import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { HostReport, ReportReceipt, SiteGatewayClient } from '@kvorum/schema/agent-wire';
import { backoffMs } from '../backoff.js';
import type { Log } from '../log.js';
import type { LeaseRecord } from './lease-record.js';
import type { ReportWriter } from './report-writer.js';

const FULL_REPORT_INTERVAL_MS = 2_000;
/** Changes of one moment travel together; nobody notices so short a delay. */
const CHANGE_DEBOUNCE_MS = 50;
/** Reports without a receipt for so long: the connection is dead although nothing says so. */
const RECEIPT_TIMEOUT_MS = 10_000;
const RECONNECT_DELAY_MS_MIN = 100;
const RECONNECT_DELAY_MS_MAX = 5_000;

type Stream = ClientDuplexStream<HostReport, ReportReceipt>;

export interface ReportStreamOptions {
  readonly client: SiteGatewayClient;
  readonly writer: ReportWriter;
  readonly lease: LeaseRecord;
  /** Is there something to report of this VM, or has it left the host? */
  isPresent(vmId: string): boolean;
  readonly log: Log;
}

/** Keeps a stream of reports to the control plane, for as long as the agent runs. */
export class ReportStream {
  readonly #options: ReportStreamOptions;
  readonly #closing = new AbortController();
  readonly #changedVmIds = new Set<string>();
  #isFullDue = false;
  #areFactsDue = true;
  #stream: Stream | null = null;
  #debounce: NodeJS.Timeout | null = null;
  #loop: Promise<void> | null = null;

  constructor(options: ReportStreamOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Something about this VM is different: it is reported within CHANGE_DEBOUNCE_MS. */
  vmChanged(vmId: string): void {
    if (this.#options.isPresent(vmId)) this.#changedVmIds.add(vmId);
    else this.#isFullDue = true;
    this.#schedule();
  }

  factsChanged(): void {
    this.#areFactsDue = true;
    this.#isFullDue = true;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#debounce !== null) clearTimeout(this.#debounce);
    this.#stream?.cancel();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { log } = this.#options;
    let attempt = 0;
    while (!this.#closing.signal.aborted) {
      const { hadReceipt, reason } = await this.#keepOne();
      if (this.#closing.signal.aborted) return;
      attempt = hadReceipt ? 0 : attempt + 1;
      const delayMs = backoffMs(attempt, RECONNECT_DELAY_MS_MIN, RECONNECT_DELAY_MS_MAX);
      log.warn({ reason, delayMs }, 'the report stream ended; connecting again');
      await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** One stream from its first report to its end, whatever ends it. */
  #keepOne(): Promise<{ hadReceipt: boolean; reason: string }> {
    const { client, lease, log } = this.#options;
    return new Promise((resolve) => {
      const stream = client.streamReports();
      let hadReceipt = false;
      let lastReceiptMs = performance.now();
      const interval = setInterval(() => {
        if (performance.now() - lastReceiptMs > RECEIPT_TIMEOUT_MS) return stream.cancel();
        this.#isFullDue = true;
        this.#flush();
      }, FULL_REPORT_INTERVAL_MS);
      const end = (reason: string) => {
        clearInterval(interval);
        if (this.#stream === stream) this.#stream = null;
        resolve({ hadReceipt, reason });
      };
      stream.on('data', (receipt: ReportReceipt) => {
        if (!hadReceipt) log.info({ leaseMs: receipt.leaseMs }, 'reports reach the control plane');
        hadReceipt = true;
        lastReceiptMs = performance.now();
        lease.keep(receipt, lastReceiptMs);
      });
      stream.on('error', (error: Error) => end(error.message));
      stream.on('end', () => {
        stream.end();
        end('closed by the control plane');
      });
      stream.on('drain', () => this.#flush());
      this.#stream = stream;
      this.#isFullDue = true;
      this.#areFactsDue = true;
      this.#flush();
    });
  }

  #schedule(): void {
    if (this.#stream === null) return;
    this.#debounce ??= setTimeout(() => {
      this.#debounce = null;
      this.#flush();
    }, CHANGE_DEBOUNCE_MS);
  }

  /** A receiver that does not read gets nothing more until it does; what is due stays due. */
  #flush(): void {
    const stream = this.#stream;
    if (stream === null || stream.writableNeedDrain) return;
    if (this.#isFullDue) {
      stream.write(this.#options.writer.fullReport(this.#areFactsDue ? 'with facts' : 'without facts'));
      this.#areFactsDue = false;
    } else if (this.#changedVmIds.size > 0) {
      stream.write(this.#options.writer.changeReport(this.#changedVmIds));
    }
    this.#isFullDue = false;
    this.#changedVmIds.clear();
  }
}
