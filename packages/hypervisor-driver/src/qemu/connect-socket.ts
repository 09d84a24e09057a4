import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';

/** QEMU binds its sockets 20 to 90 ms after exec: looking every 3 ms costs nothing and loses nothing. */
const RETRY_MS = 3;

/**
 * Connects to a UNIX socket, waiting for it to appear. Gives up with `deadline_exceeded`, or with what `giveUp` returns
 * as soon as that is not null (the process ended).
 */
export async function connectWhenBound(
  path: string,
  timeoutMs: number,
  giveUp: () => DomainError | null,
): Promise<Socket> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const refusal = giveUp();
    if (refusal !== null) throw refusal;
    const attempt = await connectOnce(path);
    if (attempt.kind === 'connected') return attempt.socket;
    if (!isNotYetBound(attempt.code)) {
      throw new DomainError('host_fault', `the socket ${path} cannot be reached: ${attempt.code}`);
    }
    if (performance.now() > giveUpAtMs) {
      throw new DomainError('deadline_exceeded', `nothing listened on ${path} within ${timeoutMs} ms`);
    }
    await sleep(RETRY_MS);
  }
}

/** Not there yet; or bound and not yet listening; or its queue of one is full. */
const isNotYetBound = (code: string): boolean => code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EAGAIN';

type Attempt =
  | { readonly kind: 'connected'; readonly socket: Socket }
  | { readonly kind: 'failed'; readonly code: string };

/** One attempt. The socket that is returned has no listeners. */
export function connectOnce(path: string): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const onError = (error: NodeJS.ErrnoException) => {
      socket.destroy();
      resolve({ kind: 'failed', code: error.code ?? error.message });
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      resolve({ kind: 'connected', socket });
    });
  });
}
