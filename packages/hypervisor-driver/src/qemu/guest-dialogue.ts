import { fieldsOf } from './answer-fields.js';
import { LineSplitter, LineTooLong } from './line-splitter.js';

/** Leftovers of earlier sessions may come before our answer, but not without end. */
export const GUEST_FLOOD_BYTES_MAX = 256 * 1024;
/** guest-sync-delimited (qga/qapi-schema.json): the answer is preceded by this byte, which no JSON text contains. */
export const SENTINEL = 0xff;
const NEWLINE = 0x0a;
/** `{"return": 2147483647}` and room. */
const SYNC_ANSWER_BYTES_MAX = 128;
const REASON_LENGTH_MAX = 512;

export type GuestOutcome =
  | { readonly kind: 'answered'; readonly value: unknown }
  /** The agent's own words, printable and bounded. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'oversized' }
  | { readonly kind: 'broken'; readonly why: string };

/** One question's dialogue as far as it was heard; apart from the socket, so that the rules are plain to see. Keeps bounded bytes. */
export class GuestDialogue {
  readonly #syncId: number;
  readonly #ask: () => void;
  readonly #answer: LineSplitter;
  /** What follows the last sentinel; null: none yet, or something else came after it. */
  #sync: Buffer | null = null;
  #leftoverBytes = 0;
  #isSynced = false;

  constructor(syncId: number, answerBytesMax: number, ask: () => void) {
    this.#syncId = syncId;
    this.#ask = ask;
    this.#answer = new LineSplitter(answerBytesMax);
  }

  /** Null: the answer is not whole yet. */
  take(chunk: Buffer): GuestOutcome | null {
    if (this.#isSynced) return this.#heard(chunk);
    this.#leftoverBytes += chunk.length;
    if (this.#leftoverBytes > GUEST_FLOOD_BYTES_MAX) return { kind: 'broken', why: 'it sends without end' };
    const rest = this.#synchronised(chunk);
    return rest === null ? null : this.#heard(rest);
  }

  /** What came after our sync's answer; null: that has not come. Anything before it is a leftover, sense or nonsense. */
  #synchronised(chunk: Buffer): Buffer | null {
    let from = 0;
    for (;;) {
      if (this.#sync === null) {
        const sentinel = chunk.indexOf(SENTINEL, from);
        if (sentinel < 0) return null;
        this.#sync = Buffer.alloc(0);
        from = sentinel + 1;
      }
      const end = endOf(chunk, from);
      this.#sync = Buffer.concat([this.#sync, chunk.subarray(from, Math.min(end, from + SYNC_ANSWER_BYTES_MAX))]);
      if (end === chunk.length && this.#sync.length <= SYNC_ANSWER_BYTES_MAX) return null;
      const isOurs = chunk[end] === NEWLINE && parse(this.#sync)['return'] === this.#syncId;
      this.#sync = null;
      from = end;
      if (!isOurs) continue;
      this.#isSynced = true;
      this.#ask();
      return chunk.subarray(end + 1);
    }
  }

  #heard(chunk: Buffer): GuestOutcome | null {
    try {
      for (const line of this.#answer.push(chunk)) return answerIn(line);
      return null;
    } catch (thrown) {
      if (thrown instanceof LineTooLong) return { kind: 'oversized' };
      throw thrown;
    }
  }
}

/** Of what follows a sentinel: its line's end, or the next sentinel, or the end of the chunk. Looks at each byte once, whatever comes. */
function endOf(chunk: Buffer, from: number): number {
  const sentinel = chunk.indexOf(SENTINEL, from);
  const last = sentinel < 0 ? chunk.length : sentinel;
  const newline = chunk.subarray(from, last).indexOf(NEWLINE);
  return newline < 0 ? last : from + newline;
}

function answerIn(line: Buffer): GuestOutcome {
  const message = parse(line);
  if ('return' in message) return { kind: 'answered', value: message['return'] };
  if (!('error' in message)) return { kind: 'broken', why: 'it answered nonsense' };
  const { desc } = fieldsOf(message['error']);
  const reason =
    typeof desc === 'string' ? desc.slice(0, REASON_LENGTH_MAX).replace(/\p{C}/gu, ' ') : 'no reason given';
  return { kind: 'refused', reason };
}

function parse(text: Buffer): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(text.toString('utf8')));
  } catch {
    return {};
  }
}
