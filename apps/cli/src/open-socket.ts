import { KvorumError } from '@kvorum/client';
import { WebSocket } from 'ws';

/** More than the control plane sends in one message. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
const OPEN_TIMEOUT_MS = 30_000;
const PROBLEM_BYTES_MAX = 64 * 1024;

/**
 * Opens a WebSocket, which is paused: a console speaks first, at times in one packet with the answer to the upgrade, before anybody who
 * waits for this can listen. `resume()` it then. Throws KvorumError with what the control plane refused it for. `url` may hold a
 * token: it is not shown.
 */
export function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { maxPayload: MESSAGE_BYTES_MAX, handshakeTimeout: OPEN_TIMEOUT_MS });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.pause();
      resolve(socket);
    });
    socket.on('error', (cause) => reject(refusal(null, '', cause)));
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        if (text.length < PROBLEM_BYTES_MAX) text += part.toString();
      });
      response.once('end', () => reject(refusal(response.statusCode ?? null, text)));
    });
  });
}

function refusal(status: number | null, text: string, cause?: unknown): KvorumError {
  const { code, detail, remedy } = problemIn(text);
  return new KvorumError({
    code: typeof code === 'string' ? code : status === null ? 'unreachable' : 'unexpected_answer',
    status,
    detail: typeof detail === 'string' ? detail : 'the console could not be opened',
    remedy:
      typeof remedy === 'string' ? remedy : 'Check the address, the network, and that proxies let WebSockets through.',
    cause,
  });
}

function problemIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
