import { createHash } from 'node:crypto';

/**
 * Records in a storage that can append to an object at once and as a whole, and has no other condition to offer. Each line says over
 * which line it was written; one that names another than the last that counts does not count. So of two that write at the same
 * time the one whose line comes first has it, both can tell, and a line that comes late does nothing. Pure.
 */
export interface LogState {
  /** Of the last line that counts; null: there is none. */
  readonly version: string | null;
  readonly value: unknown;
  /** What follows stands in the next chapter. */
  readonly isClosed: boolean;
}

interface Line {
  readonly over: string | null;
  readonly value?: unknown;
  readonly isFirst?: true;
  readonly isLast?: true;
}

/** What a chapter is replaced by when the next one has begun: nobody needs to read it any more. */
export const CLOSED = 'closed\n';
const DIGEST_LENGTH = 32;
const EMPTY: LogState = { version: null, value: null, isClosed: false };

export const digestOf = (line: string): string =>
  createHash('sha256').update(line).digest('hex').slice(0, DIGEST_LENGTH);

/** `text`: a whole chapter; null: there is none. */
export function readLog(text: string | null): LogState {
  if (text === null) return EMPTY;
  if (text.startsWith(CLOSED)) return { ...EMPTY, isClosed: true };
  let state = EMPTY;
  for (const line of text.split('\n')) {
    const read = parseLine(line);
    if (read === null || state.isClosed) continue;
    const isNext = read.over === state.version || (read.isFirst === true && state.version === null);
    if (!isNext) continue;
    state = {
      version: digestOf(line),
      value: 'value' in read ? read.value : state.value,
      isClosed: read.isLast === true,
    };
  }
  return state;
}

/** A line that counts where `over` is the last one. */
export const valueLine = (over: string | null, value: unknown): string => JSON.stringify({ over, value });
/** Ends a chapter. */
export const lastLine = (over: string): string => JSON.stringify({ over, isLast: true });
/** Begins the next chapter with what the one before ended with: the same line, whoever writes it. */
export const firstLine = ({ version, value }: LogState): string =>
  JSON.stringify({ over: version, value, isFirst: true });

function parseLine(line: string): Line | null {
  if (line === '') return null;
  try {
    const read: unknown = JSON.parse(line);
    const { over } = read as Line;
    return typeof read === 'object' && (over === null || typeof over === 'string') ? (read as Line) : null;
  } catch {
    return null;
  }
}
