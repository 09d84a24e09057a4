import type { Socket } from 'node:net';
import { DomainError } from '@kvorum/schema';
import { deferred } from '../process/deferred.js';
import { fieldsOf } from './answer-fields.js';
import { LineSplitter } from './line-splitter.js';
import { QMP_READERS, type QmpCommandName, type QmpCommands } from './qmp-commands.js';

/** An answer of the commands used here is some KiB; a larger line is no answer to us. */
export const QMP_LINE_BYTES_MAX = 1024 * 1024;
/** More unanswered commands than this mean that QEMU hangs; further ones would only pile up. */
const PENDING_COUNT_MAX = 64;
const ERROR_TEXT_LENGTH_MAX = 1024;

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly name: QmpCommandName;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: DomainError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One session with QEMU's monitor (docs/interop/qmp-spec.rst). Commands are matched to answers by id, so a late answer
 * is only ignored. What breaks the protocol closes the session: nothing that follows could be trusted.
 */
export class QmpClient {
  readonly #socket: Socket;
  readonly #lines = new LineSplitter(QMP_LINE_BYTES_MAX);
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = deferred<void>();
  readonly #closing = deferred<DomainError>();
  #closedBy: DomainError | null = null;
  #hasGreeting = false;
  #nextId = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(`the monitor's connection broke: ${error.message}`));
    socket.on('close', () => this.#fail('the monitor closed its connection'));
  }

  /** Takes a fresh connection through greeting and capabilities. Throws `deadline_exceeded` or `host_fault`. */
  static async open(socket: Socket, timeoutMs: number): Promise<QmpClient> {
    const client = new QmpClient(socket);
    const timer = setTimeout(() => {
      client.#fail(`the monitor did not greet within ${timeoutMs} ms`, 'deadline_exceeded');
    }, timeoutMs);
    try {
      await client.#greeting.promise;
      await client.execute('qmp_capabilities', undefined, timeoutMs);
      return client;
    } catch (thrown) {
      client.close();
      throw thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  get isClosed(): boolean {
    return this.#closedBy !== null;
  }

  /** Resolves when the session is over, with why. */
  get closed(): Promise<DomainError> {
    return this.#closing.promise;
  }

  /** Throws `deadline_exceeded` after `timeoutMs`, `host_fault` when QEMU refuses, answers nonsense or is gone. */
  execute<Name extends QmpCommandName>(
    name: Name,
    args: QmpCommands[Name]['arguments'],
    timeoutMs: number,
  ): Promise<QmpCommands[Name]['answer']> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy !== null) return reject(this.#closedBy);
      if (this.#pending.size >= PENDING_COUNT_MAX) {
        return reject(new DomainError('host_fault', `the monitor has left ${PENDING_COUNT_MAX} commands unanswered`));
      }
      const id = this.#nextId++;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new DomainError('deadline_exceeded', `the monitor did not answer ${name} within ${timeoutMs} ms`));
      }, timeoutMs);
      // The reader checked the answer's shape, which is what ties it to Name.
      const settle = resolve as (answer: unknown) => void;
      this.#pending.set(id, { name, resolve: settle, reject, timer });
      this.#socket.write(`${JSON.stringify({ execute: name, arguments: args, id })}\n`);
    });
  }

  /** Returns the function that takes the listener off again. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#fail('the monitor session was closed');
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        if (this.isClosed) return;
        this.#take(line.toString('utf8'));
      }
    } catch (thrown) {
      this.#fail(`the monitor broke the protocol: ${(thrown as Error).message}`);
    }
  }

  #take(line: string): void {
    if (line.trim() === '') return;
    const message = fieldsOf(JSON.parse(line));
    if (!this.#hasGreeting) {
      this.#greet(message);
    } else if (typeof message['event'] === 'string') {
      this.#announce(message['event'], message['data']);
    } else if ('return' in message || 'error' in message) {
      this.#answer(message);
    } else {
      this.#fail('the monitor broke the protocol: neither event nor answer');
    }
  }

  #greet(message: Readonly<Record<string, unknown>>): void {
    if (message['QMP'] === undefined) {
      this.#fail('the monitor broke the protocol: no greeting');
      return;
    }
    this.#hasGreeting = true;
    this.#greeting.resolve();
  }

  #announce(name: string, data: unknown): void {
    const event = { name, data: fieldsOf(data) };
    for (const listener of this.#listeners) listener(event);
  }

  #answer(message: Readonly<Record<string, unknown>>): void {
    const id = message['id'];
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id >= this.#nextId) {
      this.#fail('the monitor broke the protocol: an answer to nothing');
      return;
    }
    const pending = this.#pending.get(id);
    // Answered after its time limit: the caller has been told so.
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    const answer = 'error' in message ? null : QMP_READERS[pending.name](message['return']);
    if ('error' in message) {
      pending.reject(refusal(pending.name, message['error']));
    } else if (answer === null) {
      pending.reject(new DomainError('host_fault', `the monitor answered ${pending.name} with nonsense`));
    } else {
      pending.resolve(answer);
    }
  }

  #fail(why: string, code: 'host_fault' | 'deadline_exceeded' = 'host_fault'): void {
    if (this.#closedBy !== null) return;
    const error = new DomainError(code, why);
    this.#closedBy = error;
    this.#socket.destroy();
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#pending.clear();
    // Nobody may be waiting for a greeting any more; a rejection without a listener would end the process.
    this.#greeting.promise.catch(() => undefined);
    this.#greeting.reject(error);
    this.#closing.resolve(error);
  }
}

function refusal(name: QmpCommandName, error: unknown): DomainError {
  const { class: kind, desc } = fieldsOf(error);
  const text = String(desc ?? 'no reason given').slice(0, ERROR_TEXT_LENGTH_MAX);
  return new DomainError('host_fault', `QEMU refused ${name}: ${text}`, { details: { class: String(kind ?? '') } });
}
