import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** One server-sent event (HTML Living Standard, section 9.2). `data` is sent as JSON on one line. */
export interface ServerEvent {
  readonly id?: string;
  readonly event: string;
  readonly data: unknown;
}
/** Moves the reader's Last-Event-ID on without an event: others than those asked for have passed. */
export interface StreamPosition {
  readonly position: string;
}
/** Opened when the stream begins; `signal` aborts when the reader has gone or the server stops. */
export interface ServerEvents {
  open(signal: AbortSignal): AsyncIterable<ServerEvent | StreamPosition>;
}

export interface StreamOptions {
  /** Proxies commonly end connections that are silent for 30 to 60 s. */
  readonly heartbeatMs: number;
  readonly stopping: AbortSignal;
  /** Asked at each heartbeat: false ends the stream (the token was revoked or has expired). */
  isStillAllowed(): Promise<boolean>;
  /** A failure in mid-stream: there is no status left to send, so the stream ends and the reader comes back. */
  onFailure(error: unknown): void;
}

/** How long a reader whose connection broke waits before it comes back, in ms. */
const RETRY_MS = 2000;

export function frameOf(event: ServerEvent | StreamPosition): string {
  if ('position' in event) return `: position\nid: ${event.position}\n\n`;
  const id = event.id === undefined ? '' : `id: ${event.id}\n`;
  return `${id}event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}

/**
 * The response body of a stream of events. It is pulled by the connection: a slow reader stops the source, so nothing piles
 * up in memory.
 */
export function openEventStream(source: ServerEvents, options: StreamOptions): Readable {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, options.stopping]);
  const body = Readable.from(framesOf(source, signal, options), { objectMode: false, highWaterMark: 1 });
  body.once('close', () => gone.abort());
  return body;
}

async function* framesOf(source: ServerEvents, signal: AbortSignal, options: StreamOptions): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`;
  const events = source.open(signal)[Symbol.asyncIterator]();
  try {
    let next = events.next();
    while (!signal.aborted) {
      const first = await firstOf(next, options.heartbeatMs, signal);
      if (first === 'stopped') return;
      if (first === 'heartbeat') {
        if (!(await options.isStillAllowed())) return;
        yield ': heartbeat\n\n';
        continue;
      }
      if (first.done === true) return;
      yield frameOf(first.value);
      next = events.next();
    }
  } catch (error) {
    if (!signal.aborted) options.onFailure(error);
  } finally {
    // Not awaited: a source that waits for its signal ends in its own time.
    events.return?.(undefined)?.catch(() => {});
  }
}

type Pulled = IteratorResult<ServerEvent | StreamPosition>;

async function firstOf(
  next: Promise<Pulled>,
  heartbeatMs: number,
  signal: AbortSignal,
): Promise<Pulled | 'heartbeat' | 'stopped'> {
  const done = new AbortController();
  const heartbeat = delay(heartbeatMs, 'heartbeat' as const, {
    signal: AbortSignal.any([signal, done.signal]),
  }).catch(() => 'stopped' as const);
  try {
    return await Promise.race([next, heartbeat]);
  } finally {
    done.abort();
  }
}
