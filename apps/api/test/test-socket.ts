import { WebSocket } from 'ws';

export interface TestSocket {
  send(text: string): void;
  close(): void;
  /** All that has come so far. */
  text(): string;
  readonly closed: Promise<{ code: number; reason: string }>;
}

export interface RefusedSocket {
  readonly status: number;
  readonly body: unknown;
}

class Refused extends Error {
  readonly answer: RefusedSocket;
  constructor(answer: RefusedSocket) {
    super(`refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
    this.answer = answer;
  }
}

/** Opens a WebSocket as a browser does: with nothing but its address. */
export function openTestSocket(url: string): Promise<TestSocket> {
  const socket = new WebSocket(url);
  let text = '';
  socket.on('message', (data: Buffer) => {
    text += data.toString('latin1');
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (part: Buffer) => {
        body += part.toString();
      });
      response.once('end', () => reject(new Refused({ status: response.statusCode ?? 0, body: JSON.parse(body) })));
    });
    socket.once('open', () =>
      resolve({
        send: (typed) => socket.send(typed),
        close: () => socket.close(),
        text: () => text,
        closed,
      }),
    );
  });
}

/** What a WebSocket that must not open is answered with. */
export async function refusedSocket(url: string): Promise<RefusedSocket> {
  try {
    (await openTestSocket(url)).close();
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.answer;
    throw thrown;
  }
  throw new Error('the WebSocket opened');
}
