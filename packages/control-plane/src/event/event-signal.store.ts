import pg from 'pg';
import type { Logger } from '../logger.js';
import { EVENT_CHANNEL } from './event.store.js';

/** Wakes readers of the event log when there may be something new. */
export interface EventSignal {
  /** Resolves at the next ring, when `signal` aborts, or after `timeoutMs`; never rejects. */
  wait(signal: AbortSignal, timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

const CONNECT_MS_MAX = 5000;
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5000;
/** Readers see a transaction's events once all older ones have ended; how often we look while one has not. */
const HORIZON_POLL_MS = 50;
/** A transaction that keeps the horizon back for longer is left to the readers' own time limits. */
const HORIZON_WAIT_MS_MAX = 10_000;
/** While we cannot listen, readers look for themselves this often. */
const BLIND_POLL_MS = 1000;

/**
 * One LISTEN connection per process, opened by the first who waits. When it is lost, waiters fall back to polling and it is
 * opened anew: a notification only ever makes things faster.
 */
export class ListeningEventSignal implements EventSignal {
  readonly #url: string;
  readonly #log: Logger;
  readonly #waiters = new Set<() => void>();
  #client: pg.Client | null = null;
  #isListening = false;
  #isClosed = false;
  #reconnectMs = RECONNECT_MS_MIN;
  #retry: NodeJS.Timeout | null = null;
  #awaitedXactId = 0n;
  #watching: Promise<void> | null = null;

  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
  }

  wait(signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (signal.aborted || this.#isClosed) return Promise.resolve();
    if (this.#client === null && this.#retry === null) void this.#listen();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, this.#isListening ? timeoutMs : Math.min(timeoutMs, BLIND_POLL_MS));
      this.#waiters.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = null;
    this.#wake();
    await client?.end().catch(() => undefined);
    await this.#watching;
  }

  #wake(): void {
    for (const done of [...this.#waiters]) done();
  }

  async #listen(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#url, connectionTimeoutMillis: CONNECT_MS_MAX });
    this.#client = client;
    const lose = (error?: Error): void => this.#lose(client, error);
    client.on('error', lose);
    client.on('end', () => lose());
    client.on('notification', (message) => this.#heard(client, message.payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${EVENT_CHANNEL}`);
      if (this.#client !== client) return;
      this.#isListening = true;
      this.#reconnectMs = RECONNECT_MS_MIN;
      // What was committed before LISTEN took hold rang for nobody.
      this.#wake();
    } catch (error) {
      lose(error as Error);
    }
  }

  #lose(client: pg.Client, error?: Error): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#isListening = false;
    client.end().catch(() => undefined);
    if (this.#isClosed) return;
    this.#log.warn({ err: error }, 'lost the connection that listens for events; readers poll until it is back');
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.#listen();
    }, this.#reconnectMs);
    this.#retry.unref();
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
    this.#wake();
  }

  #heard(client: pg.Client, payload: string): void {
    this.#wake();
    const xactId = /^[0-9]{1,19}$/.test(payload) ? BigInt(payload) : 0n;
    if (xactId > this.#awaitedXactId) this.#awaitedXactId = xactId;
    this.#watching ??= this.#watchHorizon(client)
      .catch(() => undefined)
      .finally(() => {
        this.#watching = null;
      });
  }

  /** Wakes readers once more when the transactions that kept the newest events from being read have ended. */
  async #watchHorizon(client: pg.Client): Promise<void> {
    let isBehind = false;
    const giveUpAtMs = performance.now() + HORIZON_WAIT_MS_MAX;
    while (!this.#isClosed && performance.now() < giveUpAtMs) {
      const { rows } = await client.query<{ xact_id: string }>(
        'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xact_id',
      );
      if (BigInt(rows[0]?.xact_id ?? 0) > this.#awaitedXactId) {
        if (isBehind) this.#wake();
        return;
      }
      isBehind = true;
      await new Promise((resolve) => setTimeout(resolve, HORIZON_POLL_MS));
    }
  }
}
