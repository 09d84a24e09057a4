import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsolePort } from '@kvorum/hypervisor-driver';
import { followLog } from './follow-log.js';

/** An open session with one of a VM's consoles. */
export interface ConsoleSession {
  /** What the guest sends; ends with the session. Pulled: a reader that is slow is no burden. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves when it was taken; that is how a sender is slowed down. After the session's end it takes nothing. */
  write(data: Uint8Array): Promise<void>;
}

/** PIPE_BUF (pipe(7)): up to so many bytes of one writer are never mixed with another's. */
const TYPED_TOGETHER_BYTES = 4_096;
/** How long to wait for a guest that does not read what is typed, before trying again. */
const TYPE_AGAIN_MS = 50;

/** The serial line: output from the log that the hypervisor writes, input through the line's own pipe. */
export async function serialSession(
  consoles: ConsolePort,
  runDir: string,
  backlogBytes: number,
  signal: AbortSignal,
): Promise<ConsoleSession> {
  return {
    output: await followLog(runDir, backlogBytes, signal),
    write: async (data) => {
      let at = 0;
      while (at < data.byteLength && !signal.aborted) {
        const taken = await consoles.writeSerial(data.subarray(at, at + TYPED_TOGETHER_BYTES));
        at += taken;
        if (taken === 0) await delay(TYPE_AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

/** The screen: a connection of its own to the hypervisor's VNC server, passed on as it is. */
export function displaySession(display: Duplex, signal: AbortSignal): ConsoleSession {
  const end = (): void => void display.destroy();
  signal.addEventListener('abort', end, { once: true });
  // Its end is seen by whoever reads it.
  display.on('error', () => undefined);
  display.once('close', () => signal.removeEventListener('abort', end));
  return {
    output: outputOf(display),
    write: (data) =>
      new Promise((resolve) => {
        if (display.destroyed || !display.writable) return resolve();
        display.once('close', resolve);
        display.write(data, () => {
          display.off('close', resolve);
          resolve();
        });
      }),
  };
}

async function* outputOf(display: Duplex): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const part of display) yield part as Buffer;
  } catch {
    // Closed under us, or broken: the session is over either way.
  }
}
