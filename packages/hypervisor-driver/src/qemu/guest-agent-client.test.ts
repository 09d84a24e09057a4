import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GUEST_LINE_BYTES_MAX, GuestAgentClient } from './guest-agent-client.js';
import { GUEST_FLOOD_BYTES_MAX } from './guest-dialogue.js';

const LIMIT_MS = 2_000;
const SHORT_MS = 60;

interface Request {
  readonly execute: string;
  readonly arguments?: { readonly id: number };
}

describe('a ping of the guest agent', () => {
  let folder: string;
  let server: Server;
  let client: GuestAgentClient;
  let respond: (socket: Socket, request: Request) => void;
  const peers: Socket[] = [];

  const isSync = (request: Request) => request.execute === 'guest-sync-delimited';
  const answerWell = (socket: Socket, request: Request): void => {
    if (isSync(request)) socket.write(Buffer.from([0xff]));
    socket.write(`${JSON.stringify({ return: isSync(request) ? request.arguments?.id : {} })}\n`);
  };

  beforeEach(async () => {
    folder = mkdtempSync('/tmp/kv-');
    respond = answerWell;
    server = createServer((socket) => {
      peers.push(socket);
      socket.on('error', () => undefined);
      let text = '';
      socket.on('data', (chunk) => {
        // latin1 keeps the sentinel one character; qemu-ga drops it as well.
        text += chunk.toString('latin1').replaceAll('\u00ff', '');
        for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
          respond(socket, JSON.parse(text.slice(0, end)));
          text = text.slice(end + 1);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
    client = new GuestAgentClient(join(folder, 's'));
  });
  afterEach(async () => {
    client.close();
    for (const peer of peers.splice(0)) peer.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  it('is answered by a good agent, again and again on one connection', async () => {
    expect(await client.ping(LIMIT_MS)).toBe(true);
    expect(await Promise.all([client.ping(LIMIT_MS), client.ping(LIMIT_MS)])).toEqual([true, true]);
    expect(peers).toHaveLength(1);
  });

  it('skips what an earlier session left in the channel', async () => {
    respond = (socket, request) => {
      if (isSync(request)) socket.write('{"return": 12}\ngarbage {{{\n\u0000\u0001\n{"return":');
      answerWell(socket, request);
    };
    expect(await client.ping(LIMIT_MS)).toBe(true);
  });

  it.each<[string, (socket: Socket, request: Request) => void]>([
    ['says nothing', () => undefined],
    [
      'answers another sync',
      (socket) => socket.write(Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return":1}\n')])),
    ],
    [
      'answers the sync without the sentinel',
      (socket, request) => socket.write(`{"return":${request.arguments?.id}}\n`),
    ],
  ])('of a guest that %s is no answer after the time limit', async (_what, bad) => {
    respond = bad;
    expect(await client.ping(SHORT_MS)).toBe(false);
    respond = answerWell;
    expect(await client.ping(LIMIT_MS)).toBe(true);
  });

  it.each<[string, (socket: Socket, request: Request) => void]>([
    [
      'answers the ping without end',
      (socket, request) =>
        isSync(request) ? answerWell(socket, request) : socket.write(Buffer.alloc(GUEST_LINE_BYTES_MAX + 1, 'x')),
    ],
    ['sends a line without end', (socket) => socket.write(Buffer.alloc(GUEST_FLOOD_BYTES_MAX + 1, 'x'))],
    ['sends sentinels without end', (socket) => socket.write(Buffer.alloc(GUEST_FLOOD_BYTES_MAX + 1, 0xff))],
    ['floods with lines', (socket) => socket.write(Buffer.alloc(GUEST_FLOOD_BYTES_MAX + 1, 'x\n'))],
    ['closes', (socket) => socket.destroy()],
    [
      'answers the ping with nonsense',
      (socket, request) => (isSync(request) ? answerWell(socket, request) : socket.write('\u0000{]\n')),
    ],
    [
      'answers the ping with an error',
      (socket, request) => (isSync(request) ? answerWell(socket, request) : socket.write('{"error":{"class":"x"}}\n')),
    ],
  ])('of a guest that %s is no answer, at once, and the next ping starts afresh', async (_what, bad) => {
    respond = bad;
    expect(await client.ping(LIMIT_MS * 10)).toBe(false);
    respond = answerWell;
    expect(await client.ping(LIMIT_MS)).toBe(true);
    expect(peers).toHaveLength(2);
  });

  it('waits for its turn: what is asked meanwhile is not mixed up', async () => {
    respond = (socket, request) => {
      if (isSync(request)) return answerWell(socket, request);
      setTimeout(() => socket.write(`${JSON.stringify({ return: request.execute })}\n`), 5);
    };
    const commands = ['guest-a', 'guest-b', 'guest-c'];
    const outcomes = await Promise.all(commands.map((command) => client.ask({ command, timeoutMs: LIMIT_MS })));
    expect(outcomes).toEqual(commands.map((value) => ({ kind: 'answered', value })));
  });

  it('is refused when too many wait already', async () => {
    respond = () => undefined;
    const asked = Array.from({ length: 40 }, () => client.ask({ command: 'guest-ping', timeoutMs: 1 }));
    const outcomes = await Promise.allSettled(asked);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(8);
    expect(refused[0]).toMatchObject({ reason: { code: 'unavailable' } });
  });

  it('without a channel is no answer', async () => {
    expect(await new GuestAgentClient(join(folder, 'absent')).ping(SHORT_MS)).toBe(false);
  });
});
