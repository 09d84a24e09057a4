import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { DomainError } from '@kvorum/schema';
import { connectWhenBound } from './connect-socket.js';
import { GuestDialogue, type GuestOutcome, SENTINEL } from './guest-dialogue.js';

/** Answers to all but the output of programs are shorter; the guest decides what arrives here. */
export const GUEST_LINE_BYTES_MAX = 64 * 1024;
/** Each has a time limit; who finds so many waiting is better told than queued. */
const WAITING_COUNT_MAX = 32;
const SYNC_ID_MAX = 2 ** 31;

export interface GuestRequest {
  readonly command: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** From when its turn has come. */
  readonly timeoutMs: number;
  readonly answerBytesMax?: number;
}

/**
 * The host's end of the guest agent's channel, of which QEMU lets in one: all questions go through here, one after the other, as
 * answers carry no id. Nothing said there is trusted. The connection stays open between questions, because qemu-ga polls its port ten
 * times a second while nobody is connected; it is not read in between, so that a guest that floods it fills its own buffer and no more.
 */
export class GuestAgentClient {
  readonly #socketPath: string;
  #socket: Socket | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #waitingCount = 0;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Whether the guest answered in time. Throws `host_fault` only when QEMU's socket is gone. */
  async ping(timeoutMs: number): Promise<boolean> {
    return (await this.ask({ command: 'guest-ping', timeoutMs })).kind === 'answered';
  }

  /** Throws `host_fault` when QEMU's socket is gone, `unavailable` when too many questions wait. */
  ask(request: GuestRequest): Promise<GuestOutcome> {
    if (this.#waitingCount >= WAITING_COUNT_MAX) {
      const message = `${WAITING_COUNT_MAX} questions to the guest agent wait for their turn; ask again`;
      return Promise.reject(new DomainError('unavailable', message));
    }
    this.#waitingCount += 1;
    const turn = this.#turn.then(() => this.#ask(request));
    this.#turn = turn.catch(() => undefined);
    return turn.finally(() => {
      this.#waitingCount -= 1;
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  async #ask(request: GuestRequest): Promise<GuestOutcome> {
    const socket = await this.#connected(request.timeoutMs);
    if (socket === null) return { kind: 'silent' };
    const outcome = await exchange(socket, request);
    socket.pause();
    // A guest without an agent reads nothing: on a session kept open our questions would pile up without end. And what is left of an
    // answer that was not wanted is dropped by QEMU once nobody is connected.
    if (outcome.kind !== 'answered') this.close();
    return outcome;
  }

  async #connected(timeoutMs: number): Promise<Socket | null> {
    if (this.#socket !== null && !this.#socket.destroyed) return this.#socket;
    try {
      const socket = await connectWhenBound(this.#socketPath, timeoutMs, () => null);
      // Its end is noticed by the next question.
      socket.on('error', () => undefined);
      this.#socket = socket;
      return socket;
    } catch (thrown) {
      if (thrown instanceof DomainError && thrown.code === 'deadline_exceeded') return null;
      throw thrown;
    }
  }
}

/** Sync, then the question. The sync's random id tells our session's answers from leftovers. */
function exchange(socket: Socket, request: GuestRequest): Promise<GuestOutcome> {
  return new Promise((resolve) => {
    const syncId = randomInt(1, SYNC_ID_MAX);
    const question = { execute: request.command, arguments: request.arguments };
    const dialogue = new GuestDialogue(syncId, request.answerBytesMax ?? GUEST_LINE_BYTES_MAX, () =>
      socket.write(`${JSON.stringify(question)}\n`),
    );
    const settle = (outcome: GuestOutcome) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
      resolve(outcome);
    };
    const timer = setTimeout(() => settle({ kind: 'silent' }), request.timeoutMs);
    const onClose = () => settle({ kind: 'broken', why: 'the channel was closed' });
    const onData = (chunk: Buffer) => {
      const outcome = dialogue.take(chunk);
      if (outcome !== null) settle(outcome);
    };
    socket.on('data', onData).on('close', onClose);
    socket.resume();
    // The sentinel in front makes the agent drop a half command of an earlier session.
    socket.write(Buffer.from([SENTINEL]));
    socket.write(`${JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id: syncId } })}\n`);
  });
}
