import type { Socket } from 'node:net';
import { DomainError } from '@kvorum/schema';
import { isSettledWithin } from '../process/within.js';
import { connectOnce } from './connect-socket.js';
import { QmpClient, type QmpEvent } from './qmp-client.js';
import type { QmpCommandName, QmpCommands } from './qmp-commands.js';

/**
 * How long a connection may wait for its greeting. A stopped process leaves it in its queue and greets when it goes on, so
 * the wait costs nothing, while connections that give up would fill the queue (QEMU's holds two).
 */
const GREETING_TIMEOUT_MS = 24 * 3_600_000;

/**
 * The way to the monitor of one process, over sessions that come and go. A command without a session connects first; the
 * path of the socket is the only way in. Closed for good by `close`.
 */
export class MonitorLink {
  readonly #socketPath: string;
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #lossListeners = new Set<() => void>();
  #session: QmpClient | null = null;
  #opening: Promise<QmpClient> | null = null;
  /** Of the connection that waits for its greeting. */
  #waiting: Socket | null = null;
  #isClosed = false;
  /** performance.now() of the last loss of a connection. */
  #lostAtMs = Number.NEGATIVE_INFINITY;

  constructor(socketPath: string, session: QmpClient | null = null) {
    this.#socketPath = socketPath;
    if (session !== null) this.#keep(session);
  }

  get isConnected(): boolean {
    return this.#session !== null;
  }

  /** Resolves when the present session is over; at once without one. */
  get sessionClosed(): Promise<unknown> {
    return this.#session?.closed ?? Promise.resolve();
  }

  /** A connection was lost within this time: its process may be ending. */
  isLostWithin(ms: number): boolean {
    return this.#session === null && performance.now() - this.#lostAtMs < ms;
  }

  /**
   * Throws `deadline_exceeded` when the monitor does not greet or answer in time, `host_fault` when its socket is gone, and
   * what QmpClient.execute throws.
   */
  async execute<Name extends QmpCommandName>(
    name: Name,
    args: QmpCommands[Name]['arguments'],
    timeoutMs: number,
  ): Promise<QmpCommands[Name]['answer']> {
    const giveUpAtMs = performance.now() + timeoutMs;
    const session = this.#session ?? (await this.#openWithin(timeoutMs));
    return session.execute(name, args, Math.max(1, giveUpAtMs - performance.now()));
  }

  onEvent(listener: (event: QmpEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** Called when a session ends that `close` did not end: the process may be ending. */
  onLoss(listener: () => void): void {
    this.#lossListeners.add(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting?.destroy();
    this.#session?.close();
  }

  async #openWithin(timeoutMs: number): Promise<QmpClient> {
    if (this.#isClosed) throw new DomainError('host_fault', 'the monitor session was closed');
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    const opening = this.#opening;
    if (await isSettledWithin(opening, timeoutMs)) return opening;
    throw new DomainError('deadline_exceeded', `the monitor did not greet within ${Math.ceil(timeoutMs)} ms`);
  }

  async #open(): Promise<QmpClient> {
    const attempt = await connectOnce(this.#socketPath);
    if (attempt.kind === 'failed') throw connectFailure(attempt.code);
    this.#waiting = attempt.socket;
    // Closed while it connected.
    if (this.#isClosed) attempt.socket.destroy();
    try {
      const session = await QmpClient.open(attempt.socket, GREETING_TIMEOUT_MS);
      this.#keep(session);
      return session;
    } catch (thrown) {
      this.#lose();
      throw thrown;
    } finally {
      this.#waiting = null;
    }
  }

  #keep(session: QmpClient): void {
    this.#session = session;
    session.onEvent((event) => {
      for (const listener of this.#listeners) listener(event);
    });
    void session.closed.then(() => {
      if (this.#session === session) this.#session = null;
      this.#lose();
    });
  }

  #lose(): void {
    this.#lostAtMs = performance.now();
    if (!this.#isClosed) for (const listener of this.#lossListeners) listener();
  }
}

function connectFailure(code: string): DomainError {
  if (code === 'ENOENT') {
    return new DomainError(
      'host_fault',
      'the socket of the monitor was removed: the VM can only be stopped hard and started again',
    );
  }
  // ECONNREFUSED: nobody listens (any more); EAGAIN: others wait already. Both may pass.
  return new DomainError('deadline_exceeded', `the monitor takes no connection: ${code}`);
}
