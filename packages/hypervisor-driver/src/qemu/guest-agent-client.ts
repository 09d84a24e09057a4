import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { DomainError } from '@kvorum/schema';
import { connectWhenBound } from './connect-socket.js';
import { LineSplitter } from './line-splitter.js';
import { fieldsOf } from './qmp-commands.js';

/** The guest decides what arrives here. An answer to a ping is 20 bytes; a line may be so long, and no longer. */
export const GUEST_LINE_BYTES_MAX = 4096;
/** Leftovers of earlier sessions may come before our answer, but not without end. */
export const GUEST_FLOOD_BYTES_MAX = 256 * 1024;
/** guest-sync-delimited (qga/qapi-schema.json): the answer is preceded by this byte, which no JSON text contains. */
const SENTINEL = 0xff;
const SYNC_ID_MAX = 2 ** 31;

/**
 * The host's end of the guest agent's channel. Nothing said there is trusted: an answer only shows that something in
 * the guest answers. The connection stays open between pings, because qemu-ga polls its port ten times a second while
 * nobody is connected; it is not read in between, so that a guest that floods it fills its own buffer and no more.
 */
export class GuestAgentClient {
  readonly #socketPath: string;
  #socket: Socket | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Whether the guest answered a sync and a ping in time. Throws `host_fault` only when QEMU's socket is gone. */
  ping(timeoutMs: number): Promise<boolean> {
    // One at a time: answers carry no id.
    const turn = this.#turn.then(() => this.#ping(timeoutMs));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  async #ping(timeoutMs: number): Promise<boolean> {
    const socket = await this.#connected(timeoutMs);
    if (socket === null) return false;
    const outcome = await exchange(socket, timeoutMs);
    socket.pause();
    // A guest without an agent reads nothing: on a session kept open our pings would pile up without end.
    if (outcome !== 'answered') this.close();
    return outcome === 'answered';
  }

  async #connected(timeoutMs: number): Promise<Socket | null> {
    if (this.#socket !== null && !this.#socket.destroyed) return this.#socket;
    try {
      const socket = await connectWhenBound(this.#socketPath, timeoutMs, () => null);
      // Its end is noticed by the next ping.
      socket.on('error', () => undefined);
      this.#socket = socket;
      return socket;
    } catch (thrown) {
      if (thrown instanceof DomainError && thrown.code === 'deadline_exceeded') return null;
      throw thrown;
    }
  }
}

type Exchange = 'answered' | 'silent' | 'broken';

/** Sync, then ping. The sync's random id tells our session's answers from leftovers. */
function exchange(socket: Socket, timeoutMs: number): Promise<Exchange> {
  return new Promise((resolve) => {
    const syncId = randomInt(1, SYNC_ID_MAX);
    const dialogue = new Dialogue(syncId, () => socket.write(`${JSON.stringify({ execute: 'guest-ping' })}\n`));
    const settle = (outcome: Exchange) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
      resolve(outcome);
    };
    const timer = setTimeout(() => settle('silent'), timeoutMs);
    const onClose = () => settle('broken');
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

/** What has been heard so far; separate from the socket so that the rules are plain to see. */
class Dialogue {
  readonly #syncId: number;
  readonly #sendPing: () => void;
  readonly #lines = new LineSplitter(GUEST_LINE_BYTES_MAX);
  #bytes = 0;
  #isSynced = false;

  constructor(syncId: number, sendPing: () => void) {
    this.#syncId = syncId;
    this.#sendPing = sendPing;
  }

  take(chunk: Buffer): Exchange | null {
    this.#bytes += chunk.length;
    if (this.#bytes > GUEST_FLOOD_BYTES_MAX) return 'broken';
    try {
      for (const line of this.#lines.push(chunk)) {
        const outcome = this.#isSynced ? this.#pinged(line) : this.#synced(line);
        if (outcome !== null) return outcome;
      }
      return null;
    } catch {
      // A line too long, or after the sync one that is not JSON.
      return 'broken';
    }
  }

  /** Anything before our sync answer is a leftover, sense or nonsense. */
  #synced(line: Buffer): null {
    const sentinel = line.lastIndexOf(SENTINEL);
    if (sentinel >= 0 && parse(line.subarray(sentinel + 1))['return'] === this.#syncId) {
      this.#isSynced = true;
      this.#sendPing();
    }
    return null;
  }

  #pinged(line: Buffer): Exchange {
    return 'return' in fieldsOf(JSON.parse(line.toString('utf8'))) ? 'answered' : 'broken';
  }
}

function parse(text: Buffer): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(text.toString('utf8')));
  } catch {
    return {};
  }
}
