import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QMP_LINE_BYTES_MAX, QmpClient, type QmpEvent } from './qmp-client.js';

const GREETING = '{"QMP":{"version":{"qemu":{"major":10,"minor":0,"micro":2},"package":""},"capabilities":["oob"]}}\n';
const LIMIT_MS = 2_000;
const SHORT_MS = 50;

describe('a monitor session', () => {
  let folder: string;
  let server: Server;
  /** Answers one request line; null: says nothing. */
  let answer: (request: { execute: string; id: number; arguments?: unknown }) => string | null;
  let greeting: string;
  let peer: Socket;

  beforeEach(async () => {
    folder = mkdtempSync('/tmp/kv-');
    greeting = GREETING;
    answer = ({ id }) => `{"return":{},"id":${id}}\n`;
    server = createServer((socket) => {
      peer = socket;
      socket.on('error', () => undefined);
      socket.write(greeting);
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().trim().split('\n')) {
          const text = answer(JSON.parse(line));
          if (text !== null) socket.write(text);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  });
  afterEach(async () => {
    peer?.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  const opened = (timeoutMs = LIMIT_MS): Promise<QmpClient> => QmpClient.open(connect(join(folder, 's')), timeoutMs);

  it('greets, agrees on capabilities and matches answers to commands by id, in any order', async () => {
    const client = await opened();
    const requests: number[] = [];
    answer = ({ id }) => {
      requests.push(id);
      if (requests.length < 2) return null;
      const [first, second] = requests;
      return `{"return":{"actual":2},"id":${second}}\n{"return":{"actual":1},"id":${first}}\n`;
    };
    const both = [
      client.execute('query-balloon', undefined, LIMIT_MS),
      client.execute('query-balloon', undefined, LIMIT_MS),
    ];
    expect(await Promise.all(both)).toEqual([{ actualBytes: 1 }, { actualBytes: 2 }]);
    client.close();
  });

  it('tells a refusal in QEMU’s words', async () => {
    const client = await opened();
    answer = ({ id }) => `{"error":{"class":"GenericError","desc":"no balloon"},"id":${id}}\n`;
    await expect(client.execute('balloon', { value: 1 }, LIMIT_MS)).rejects.toMatchObject({
      code: 'host_fault',
      message: 'QEMU refused balloon: no balloon',
    });
    client.close();
  });

  it('passes events on, cut anywhere, also in the middle of a character', async () => {
    const client = await opened();
    const events: QmpEvent[] = [];
    client.onEvent((event) => events.push(event));
    const bytes = Buffer.from('{"event":"STOP","timestamp":{}}\n{"event":"X","data":{"name":"é"}}\n');
    for (const byte of bytes) peer.write(Buffer.from([byte]));
    await expect
      .poll(() => events)
      .toEqual([
        { name: 'STOP', data: {} },
        { name: 'X', data: { name: 'é' } },
      ]);
    client.close();
  });

  it('ends a command after its time limit, ignores the late answer and goes on', async () => {
    const client = await opened();
    answer = () => null;
    const late = client.execute('stop', undefined, SHORT_MS);
    await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' });
    peer.write('{"return":{},"id":2}\n');
    answer = ({ id }) => `{"return":{"running":true,"status":"running"},"id":${id}}\n`;
    expect(await client.execute('query-status', undefined, LIMIT_MS)).toEqual({ isRunning: true, status: 'running' });
    client.close();
  });

  it.each([
    ['is no JSON', '{"return": \n'],
    ['is no object', '[1,2,3]\n'],
    ['is neither event nor answer', '{"hello":1}\n'],
    ['answers what was never asked', '{"return":{},"id":99}\n'],
    ['answers without an id', '{"return":{}}\n'],
    ['has no end', 'x'.repeat(QMP_LINE_BYTES_MAX + 1)],
    ['is nested without end', `${'['.repeat(200_000)}\n`],
    ['is not UTF-8', Buffer.from([0xff, 0xfe, 0x00, 0x0a])],
  ])('closes when a line %s, and tells every waiting command', async (_what, line) => {
    const client = await opened();
    answer = () => null;
    const waiting = client.execute('query-status', undefined, LIMIT_MS);
    peer.write(line);
    await expect(waiting).rejects.toMatchObject({ code: 'host_fault', message: expect.stringMatching(/protocol/) });
    expect((await client.closed).message).toMatch(/protocol/);
    await expect(client.execute('stop', undefined, LIMIT_MS)).rejects.toMatchObject({ code: 'host_fault' });
  });

  it.each([
    ['query-status', '{"running":"yes","status":"running"}'],
    ['query-status', '[]'],
    ['query-cpus-fast', '{"cpu-index":0}'],
    ['query-cpus-fast', '[{"cpu-index":0,"thread-id":"12"}]'],
    ['query-cpus-fast', '[{"cpu-index":-1,"thread-id":1}]'],
    ['query-balloon', '{"actual":1e300}'],
    ['query-balloon', 'null'],
  ] as const)('refuses a nonsensical answer to %s: %s', async (command, text) => {
    const client = await opened();
    answer = ({ id }) => `{"return":${text},"id":${id}}\n`;
    await expect(client.execute(command, undefined, LIMIT_MS)).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('nonsense'),
    });
    client.close();
  });

  it('puts vCPUs in the order of their index', async () => {
    const client = await opened();
    answer = ({ id }) => `{"return":[{"cpu-index":1,"thread-id":11},{"cpu-index":0,"thread-id":10}],"id":${id}}\n`;
    expect(await client.execute('query-cpus-fast', undefined, LIMIT_MS)).toEqual([
      { vcpuIndex: 0, threadId: 10 },
      { vcpuIndex: 1, threadId: 11 },
    ]);
    client.close();
  });

  it('refuses further commands when too many are unanswered', async () => {
    const client = await opened();
    answer = () => null;
    const waiting = Array.from({ length: 64 }, () => client.execute('stop', undefined, LIMIT_MS).catch(() => 'over'));
    await expect(client.execute('stop', undefined, LIMIT_MS)).rejects.toThrow('unanswered');
    client.close();
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'over'));
  });

  it('does not open without a greeting in time', async () => {
    greeting = '';
    await expect(opened(SHORT_MS)).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });

  it('does not open on something that is no monitor', async () => {
    greeting = '{"hello":"world"}\n';
    await expect(opened()).rejects.toMatchObject({ code: 'host_fault', message: expect.stringContaining('greeting') });
  });

  it('tells waiting commands when the connection closes', async () => {
    const client = await opened();
    answer = () => null;
    const waiting = client.execute('stop', undefined, LIMIT_MS);
    peer.destroy();
    await expect(waiting).rejects.toMatchObject({ code: 'host_fault' });
  });
});
