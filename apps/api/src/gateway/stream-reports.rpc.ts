import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { observeHostReport, toUnavailable } from '@kvorum/control-plane';
import { DomainError, toDomainError } from '@kvorum/schema';
import { type HostReport, type ReportReceipt, toServiceError } from '@kvorum/schema/agent-wire';
import type { GatewayDeps } from './gateway-deps.js';
import { type PeerIdentity, peerIdentityOf } from './peer-identity.js';
import { ReportReader } from './report-reader.js';

type Call = ServerDuplexStream<HostReport, ReportReceipt>;
/** Three times the lease: a stream that is silent for so long belongs to nobody. */
const SILENCE_MS_MAX = 30_000;

/** The stream on which a host tells what is true there. Each stored report is answered with a receipt. */
export const streamReportsRpc =
  (deps: GatewayDeps): handleBidiStreamingCall<HostReport, ReportReceipt> =>
  (call) => {
    const stream = new ReportStream(call, deps);
    stream.open().catch((error: unknown) => stream.fail(error));
  };

class ReportStream {
  readonly #call: Call;
  readonly #deps: GatewayDeps;
  readonly #reader: ReportReader;
  #peer: PeerIdentity | null = null;
  #leave: () => void = () => {};
  #silence: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor(call: Call, deps: GatewayDeps) {
    this.#call = call;
    this.#deps = deps;
    this.#reader = new ReportReader(
      (report) => this.#store(report),
      () => performance.now(),
    );
  }

  async open(): Promise<void> {
    this.#call.on('cancelled', () => this.#finish());
    this.#call.on('close', () => this.#finish());
    // grpc-js reports a torn connection as an error of the call; there is nobody left to tell.
    this.#call.on('error', () => this.#finish());
    this.#peer = peerIdentityOf(this.#call.getAuthContext().sslPeerCertificate);
    const hostId = await this.#deps.trust.hostOf(this.#peer);
    if (this.#isOver) return;
    this.#leave = this.#deps.streams.holdReports(hostId, (reason) => this.fail(reason));
    this.#call.on('data', (report: HostReport) => this.#take(report));
    this.#call.on('end', () => this.#endAfterLast());
    this.#awaitReport();
  }

  /** Ends the stream with an error that says why. Once it is over, later failures change nothing. */
  fail(thrown: unknown): void {
    if (this.#isOver) return;
    this.#finish();
    const error = toDomainError(toUnavailable(thrown));
    if (error.code === 'host_not_trusted' && this.#peer !== null) this.#deps.trust.forget(this.#peer);
    const fields = { err: thrown, spiffeId: this.#peer?.spiffeId, peer: this.#call.getPeer(), code: error.code };
    this.#deps.cp.log.warn(fields, 'ended a stream of reports');
    this.#call.emit('error', toServiceError(error));
  }

  #take(report: HostReport): void {
    if (this.#isOver) return;
    this.#awaitReport();
    try {
      const pauseMs = this.#reader.take(report);
      if (pauseMs > 0) {
        this.#call.pause();
        setTimeout(() => this.#call.resume(), pauseMs).unref();
      }
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#reader.drain().catch((error: unknown) => this.fail(error));
  }

  async #store(report: HostReport): Promise<void> {
    if (this.#isOver || this.#peer === null) return;
    // Asked anew for each report: a revoked host is heard no more.
    const hostId = await this.#deps.trust.hostOf(this.#peer);
    const { leaseMs } = await observeHostReport(this.#deps.cp, hostId, report);
    if (this.#isOver) return;
    const isRoomLeft = this.#call.write({ reportGeneration: report.reportGeneration, leaseMs });
    if (!isRoomLeft) await new Promise<void>((resolve) => this.#call.once('drain', resolve).once('close', resolve));
  }

  #endAfterLast(): void {
    this.#reader.drain().then(
      () => {
        if (this.#isOver) return;
        this.#finish();
        this.#call.end();
      },
      (error: unknown) => this.fail(error),
    );
  }

  #awaitReport(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    const onSilence = () => this.fail(new DomainError('deadline_exceeded', 'no report came for 30 s'));
    this.#silence = setTimeout(onSilence, SILENCE_MS_MAX).unref();
  }

  #finish(): void {
    this.#isOver = true;
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#leave();
  }
}
