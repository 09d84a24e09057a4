import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from '@fastify/websocket';
import type { ConsoleStream } from '@kvorum/control-plane';

export interface ConsoleBounds {
  /** Nothing typed and nothing shown for so long: nobody is there. */
  readonly idleMs: number;
  /** How often it is asked whether the session may go on, and whether the peer is alive. */
  readonly checkMs: number;
}

/** Nobody looks at a screen on which nothing happens for half an hour; a revoked token closes it within a check. */
export const CONSOLE_BOUNDS_DEFAULT: ConsoleBounds = { idleMs: 30 * 60_000, checkMs: 15_000 };

/** A WebSocket that a route has prepared: refusals were sent as problems before, and nothing is left to refuse. */
export interface PreparedSocket {
  /** Serves the socket; its end is the end of what was prepared. */
  serve(socket: WebSocket): void;
  /** The socket did not come to be, or is gone. May be called more than once. */
  abandon(): void;
}

export interface ConsoleOptions extends ConsoleBounds {
  readonly stopping: AbortSignal;
  /** False ends the session: the API token behind it was revoked, or the VM is gone. */
  mayGoOn(): Promise<boolean>;
}

/** A viewer that takes nothing for so long is gone, or might as well be. */
const SLOW_VIEWER_MS = 30_000;
/** RFC 6455 section 7.4.1. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const POLICY = 1008;
/** RFC 6455 section 5.5: a control frame holds 125 bytes, two of them the code. */
const REASON_BYTES_MAX = 123;

/**
 * Joins a WebSocket and a console until either ends. No side can fill memory here: the next part is taken from the host when the last
 * one has gone to the viewer, and the socket is not read while the guest does not take what was typed.
 */
export function serveConsole(socket: WebSocket, stream: ConsoleStream, options: ConsoleOptions): void {
  const over = new AbortController();
  let touchedAtMs = performance.now();
  let isAlive = true;
  const end = (code: number, reason: string): void => {
    if (over.signal.aborted) return;
    over.abort();
    stream.close();
    socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, REASON_BYTES_MAX)
        .toString()
        .replace(/\ufffd$/, ''),
    );
  };
  const onStopping = (): void => end(GOING_AWAY, 'the control plane is shutting down; connect again');

  const check = async (): Promise<void> => {
    if (!isAlive) return void socket.terminate();
    isAlive = false;
    socket.ping();
    if (performance.now() - touchedAtMs > options.idleMs) end(NORMAL, 'nothing was typed or shown for too long');
    // A failure to find out is no reason to end it.
    else if (!(await options.mayGoOn().catch(() => true)))
      end(POLICY, 'the API token is not valid any more, or the VM is gone');
  };
  const timer = setInterval(() => void check(), options.checkMs);

  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    clearInterval(timer);
    options.stopping.removeEventListener('abort', onStopping);
    over.abort();
    stream.close();
  });
  let typed: Promise<void> = Promise.resolve();
  socket.on('message', (data: Buffer) => {
    touchedAtMs = performance.now();
    socket.pause();
    typed = typed
      .then(() => stream.write(data))
      .finally(() => socket.resume())
      .catch(() => undefined);
  });
  options.stopping.addEventListener('abort', onStopping);
  if (options.stopping.aborted) onStopping();

  const show = async (): Promise<void> => {
    for await (const part of stream.output) {
      if (over.signal.aborted) return;
      touchedAtMs = performance.now();
      if (!(await isSent(socket, part, over.signal))) return void socket.terminate();
    }
    end(NORMAL, stream.endReason);
  };
  show().catch(() => end(NORMAL, 'the console broke off'));
}

/** False: the viewer took nothing in time. */
async function isSent(socket: WebSocket, part: Uint8Array, over: AbortSignal): Promise<boolean> {
  const sent = new Promise<true>((resolve) => socket.send(part, { binary: true }, () => resolve(true)));
  const done = new AbortController();
  const late = delay(SLOW_VIEWER_MS, false, { signal: AbortSignal.any([done.signal, over]) }).catch(() => true);
  try {
    return await Promise.race([sent, late]);
  } finally {
    done.abort();
  }
}
