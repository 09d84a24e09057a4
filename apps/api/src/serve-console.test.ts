import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import type { ConsoleStream } from '@kvorum/control-plane';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type ConsoleOptions, serveConsole } from './serve-console.js';

const WAIT = { timeout: 5_000, interval: 5 };
const LONG_MS = 600_000;
const SHORT_MS = 20;
/** A viewer on a busy machine has this long for its answer to a ping. */
const CHECK_MS = 400;

let server: WebSocketServer;
let options: ConsoleOptions;
let stopping: AbortController;
let guest: PassThrough;
let isStreamOpen: boolean;
let typed: string;
beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  stopping = new AbortController();
  options = { idleMs: LONG_MS, checkMs: CHECK_MS, stopping: stopping.signal, mayGoOn: async () => true };
  guest = new PassThrough();
  isStreamOpen = true;
  typed = '';
  server.on('connection', (socket) => serveConsole(socket, streamOf(guest), options));
});
afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

/** The end of a console on a host, with a guest behind it that this test plays. */
const streamOf = (console: PassThrough): ConsoleStream => ({
  output: console,
  endReason: 'the VM has stopped',
  write: async (data) => {
    typed += Buffer.from(data).toString();
  },
  close: () => {
    isStreamOpen = false;
    console.end();
  },
});

async function openViewer(client: { autoPong?: boolean } = {}): Promise<Viewer> {
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, client);
  const ending = once(socket, 'close');
  const view: Viewer = {
    socket,
    text: '',
    end: ending.then(([code, reason]) => ({ code, reason: String(reason) })),
  };
  socket.on('message', (data: Buffer) => {
    view.text += data.toString();
  });
  await once(socket, 'open');
  return view;
}
interface Viewer {
  readonly socket: WebSocket;
  text: string;
  readonly end: Promise<{ code: number; reason: string }>;
}

describe('a session of a console', () => {
  it('carries bytes both ways in their order', async () => {
    const { socket, ...view } = await openViewer();
    socket.on('message', (data: Buffer) => {
      view.text += data.toString();
    });
    for (const part of ['l', 's', '\r']) socket.send(part);
    guest.write('bin\r\n');
    guest.write('etc\r\n');
    await vi.waitFor(() => expect([typed, view.text]).toEqual(['ls\r', 'bin\r\netc\r\n']), WAIT);
  });

  it.each<[string, () => void, { code: number; reason: string }]>([
    [
      'nothing was typed or shown for as long as it may idle',
      () => Object.assign(options, { idleMs: SHORT_MS }),
      { code: 1000, reason: 'nothing was typed or shown for too long' },
    ],
    [
      'it may not go on',
      () => Object.assign(options, { mayGoOn: async () => false }),
      { code: 1008, reason: 'the API token is not valid any more, or the VM is gone' },
    ],
    ['the guest has ended', () => guest.end(), { code: 1000, reason: 'the VM has stopped' }],
    [
      'the way to the host broke off',
      () => void guest.destroy(new Error('reset')),
      { code: 1000, reason: 'the console broke off' },
    ],
    [
      'the control plane stops',
      () => stopping.abort(),
      { code: 1001, reason: 'the control plane is shutting down; connect again' },
    ],
  ])('ends, and says why, when %s; the way to the host is closed', async (_what, change, end) => {
    const view = await openViewer();
    change();
    expect(await view.end).toEqual(end);
    expect(isStreamOpen).toBe(false);
  });

  it('that began while the control plane stops ends at once', async () => {
    stopping.abort();
    expect(await (await openViewer()).end).toMatchObject({ code: 1001 });
  });

  it.each<[string, (view: Viewer) => void]>([
    ['typed', ({ socket }) => socket.send('x')],
    ['shown', () => guest.write('x')],
  ])('goes on for as long as something is %s', async (_what, move) => {
    Object.assign(options, { idleMs: 2 * CHECK_MS });
    const view = await openViewer();
    const began = performance.now();
    while (performance.now() - began < 4 * CHECK_MS) {
      move(view);
      await new Promise((resolve) => setTimeout(resolve, SHORT_MS));
    }
    expect(view.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('goes on while it cannot be found out whether it may', async () => {
    const mayGoOn = vi.fn(async () => {
      throw new Error('the database is away');
    });
    Object.assign(options, { mayGoOn });
    const { socket } = await openViewer();
    await vi.waitFor(() => expect(mayGoOn.mock.calls.length).toBeGreaterThan(2), WAIT);
    expect(socket.readyState).toBe(WebSocket.OPEN);
  });

  it('ends without a word when the viewer answers no ping: there is nobody', async () => {
    const view = await openViewer({ autoPong: false });
    // RFC 6455 section 7.1.5: 1006 stands for an end without a close frame.
    expect(await view.end).toEqual({ code: 1006, reason: '' });
    await vi.waitFor(() => expect(isStreamOpen).toBe(false), WAIT);
  });

  it('closes the way to the host when its viewer leaves', async () => {
    const { socket } = await openViewer();
    socket.close();
    await vi.waitFor(() => expect(isStreamOpen).toBe(false), WAIT);
  });
});
