import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { openSocket } from './open-socket.js';

/** RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Section 5.2: final, binary. */
const BINARY_FRAME = 0x82;

let server: Server;
afterEach(() => server.close());

/** A console that greets at once: its first bytes come in one packet with the answer to the upgrade, as on a busy machine. */
async function greetingServer(greeting: string): Promise<string> {
  server = createServer((connection) => {
    connection.once('data', (request) => {
      const key = /^sec-websocket-key: (.*)$/im.exec(request.toString())?.[1]?.trim();
      const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
      const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
      connection.write(Buffer.concat([Buffer.from(head), frame(greeting)]));
    });
    connection.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
const frame = (text: string): Buffer => Buffer.from([BINARY_FRAME, text.length, ...Buffer.from(text)]);

it('nothing that comes with the opening of a console is lost, however late its listener is', async () => {
  const socket = await openSocket(await greetingServer('RFB 003.008\n'));
  await new Promise((resolve) => setImmediate(resolve));
  const message = once(socket, 'message', { signal: AbortSignal.timeout(5_000) });
  socket.resume();
  expect(String((await message)[0])).toBe('RFB 003.008\n');
  socket.terminate();
});
