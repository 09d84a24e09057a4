import { backoffMs, RETRY_COUNT_MAX, retryAfterMs, type Sleep } from './backoff.js';
import { errorOfAnswer, unreachable } from './kvorum-error.js';
import { discard, type Fetch } from './retrying-fetch.js';
import { BlockReader, type ServerSentEvent } from './server-sent-blocks.js';

/** Statuses after which coming back can help. */
const STATUSES_TO_RETRY: readonly number[] = [429, 500, 502, 503, 504];

export interface EventStreamRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where to go on; null: from now, or wherever the server begins. */
  readonly lastEventId: string | null;
  readonly signal: AbortSignal;
}

/**
 * Events of a stream, for ever: a broken or ended connection is opened again with the last id seen (HTML Living Standard,
 * section 9.2), so that nothing is missed. Ends when the signal is aborted. Throws KvorumError when the server refuses,
 * or cannot be reached several times in a row.
 */
export async function* readEventStream(
  fetch: Fetch,
  sleep: Sleep,
  request: EventStreamRequest,
): AsyncGenerator<ServerSentEvent> {
  const { signal } = request;
  const position: Position = { lastEventId: request.lastEventId, retryMs: null };
  let failureCount = 0;
  while (!signal.aborted) {
    const opened = await open(fetch, request, position.lastEventId, failureCount < RETRY_COUNT_MAX);
    if ('body' in opened) {
      for await (const event of messagesOf(opened.body, signal, position)) {
        failureCount = 0;
        yield event;
      }
      // The server ends streams as it likes, for instance when it stops; a stream that opened is no failure by itself.
      failureCount = 0;
    } else {
      failureCount += 1;
    }
    const waitMs = ('waitMs' in opened ? opened.waitMs : position.retryMs) ?? backoffMs(failureCount);
    if (!(await waited(sleep, waitMs, signal))) return;
  }
}

async function waited(sleep: Sleep, waitMs: number, signal: AbortSignal): Promise<boolean> {
  await sleep(waitMs, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return !signal.aborted;
}

type Opened = { readonly body: ReadableStream<Uint8Array> } | { readonly waitMs: number | null };

async function open(
  fetch: Fetch,
  { url, headers, signal }: EventStreamRequest,
  lastEventId: string | null,
  mayRetry: boolean,
): Promise<Opened> {
  const resume = lastEventId === null ? {} : { 'last-event-id': lastEventId };
  let response: Response;
  try {
    response = await fetch(
      new Request(url, { headers: { ...headers, accept: 'text/event-stream', ...resume }, signal }),
    );
  } catch (failure) {
    if (signal.aborted || mayRetry) return { waitMs: null };
    throw unreachable(url, failure);
  }
  if (response.ok && response.body !== null) return { body: response.body };
  if (mayRetry && STATUSES_TO_RETRY.includes(response.status)) {
    const waitMs = retryAfterMs(response.headers.get('retry-after'), new Date());
    if (waitMs !== 'too long') {
      discard(response);
      return { waitMs };
    }
  }
  throw await errorOfAnswer(response);
}

interface Position {
  lastEventId: string | null;
  /** What the server asked readers to wait before they come back. */
  retryMs: number | null;
}

/** Messages of one connection, keeping the position up to date; ends with the connection, however it ends. */
async function* messagesOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  position: Position,
): AsyncGenerator<ServerSentEvent> {
  const blocks = new BlockReader();
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const part = await reader.read().catch(() => ({ done: true, value: undefined }) as const);
      if (part.done || signal.aborted) return;
      for (const { id, retryMs, event } of blocks.read(decoder.decode(part.value, { stream: true }))) {
        position.lastEventId = id ?? position.lastEventId;
        position.retryMs = retryMs ?? position.retryMs;
        if (event !== null) yield event;
      }
    }
  } finally {
    // Ends the connection also when the reader of the events leaves early.
    await reader.cancel().catch(() => undefined);
  }
}
