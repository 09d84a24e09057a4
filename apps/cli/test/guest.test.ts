import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { ok, openDouble, page, problem, runKvorum, TOKEN } from './double.js';
import { aVm, idOf } from './shapes.js';

const VMS = { 'GET /v1/vms': page(aVm()) };
const EXEC = `POST /v1/vms/${idOf(1)}/exec`;
const RESULT = { exitCode: 0, signal: null, stdout: '', stderr: '', isTruncated: false, hasTimedOut: false };

describe('kvorum vm exec', () => {
  it('prints what the program printed and exits as it did', async () => {
    const { run, calls } = await openDouble({
      ...VMS,
      [EXEC]: ok({ ...RESULT, exitCode: 3, stdout: 'o\u001b[2Jut\n', stderr: 'err\n' }),
    });
    expect(await run('vm exec web-1 --timeout 2m -- ls -l "a b"')).toEqual({
      exitCode: 3,
      stdout: 'o[2Jut\n',
      stderr: 'err\n',
    });
    expect(calls.at(-1)?.body).toEqual({ command: ['ls', '-l', 'a b'], timeoutMs: 120_000 });
  });

  it('hands standard input on when told to', async () => {
    const { run, calls } = await openDouble({ ...VMS, [EXEC]: ok(RESULT) });
    await run('vm exec web-1 --stdin -- cat', { stdin: 'hello' });
    expect(calls.at(-1)?.body).toEqual({ command: ['cat'], input: 'hello' });
  });

  it('says that a program was killed, and fails', async () => {
    const { run } = await openDouble({
      ...VMS,
      [EXEC]: ok({ ...RESULT, exitCode: null, signal: 9, hasTimedOut: true }),
    });
    expect(await run('vm exec web-1 -- sleep 600')).toMatchObject({
      exitCode: 1,
      stderr: 'it took too long and was killed\n',
    });
  });

  it('gives the answer itself as JSON', async () => {
    const { run } = await openDouble({ ...VMS, [EXEC]: ok(RESULT) });
    expect(JSON.parse((await run('vm exec web-1 -o json -- true')).stdout)).toEqual(RESULT);
  });

  it('is not sent again when it fails: it might run twice', async () => {
    const { run, calls } = await openDouble({ ...VMS, [EXEC]: problem(503, 'unavailable', 'not now') });
    expect((await run('vm exec web-1 -- true')).exitCode).toBe(5);
    expect(calls.filter(({ call }) => call === EXEC)).toHaveLength(1);
  });
});

describe('kvorum vm addresses', () => {
  it('shows them by interface', async () => {
    const interfaces = [
      { name: 'eth0', macAddress: '52:54:00:00:00:01', addresses: [{ address: '10.0.0.5', prefixLength: 24 }] },
    ];
    const vm = { ...aVm(), guest: { ...aVm().guest, interfaces } };
    const { run } = await openDouble({ ...VMS, [`GET /v1/vms/${idOf(1)}`]: ok(vm) });
    const { stdout } = await run('vm addresses web-1');
    expect(stdout).toContain('eth0');
    expect(stdout).toContain('10.0.0.5/24');
  });

  it('says so when the guest has not told any', async () => {
    const { run } = await openDouble({ ...VMS, [`GET /v1/vms/${idOf(1)}`]: ok(aVm()) });
    expect((await run('vm addresses web-1')).stderr).toBe('its guest agent has not told any (yet)\n');
  });
});

describe('kvorum vm freeze and thaw', () => {
  it('send what was asked for', async () => {
    const { run, calls } = await openDouble({
      ...VMS,
      [`POST /v1/vms/${idOf(1)}/freeze`]: ok({
        freezeId: idOf(9),
        fileSystemCount: 2,
        thawsAt: '2026-01-01T00:00:00Z',
      }),
      [`POST /v1/vms/${idOf(1)}/thaw`]: ok({ fileSystemCount: 2, wasUnbroken: true }),
    });
    expect((await run('vm freeze web-1 --for 30s')).stdout).toContain(idOf(9));
    expect((await run(`vm thaw web-1 --freeze ${idOf(9)}`)).stdout).toContain('yes');
    const bodies = calls.filter(({ call }) => call.startsWith('POST')).map(({ body }) => body);
    expect(bodies).toEqual([{ durationMs: 30_000 }, { freezeId: idOf(9) }]);
  });
});

describe('over a real WebSocket', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** Answers names, tokens and screenshots, and echoes what is typed. */
  async function openServer() {
    const png = Buffer.from('89504e470d0a1a0a', 'hex');
    const server = createServer((request, response) => {
      const url = request.url ?? '';
      if (url.includes('/screenshot')) return response.writeHead(200, { 'content-type': 'image/png' }).end(png);
      const body = url.includes('console-tokens')
        ? { kind: 'serial', token: 'kvc1_x', expiresAt: '2026-01-01T00:00:00Z', path: '/console' }
        : { items: [aVm()], nextCursor: null };
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    const sockets = new WebSocketServer({ server });
    const opened: string[] = [];
    sockets.on('connection', (socket, request) => {
      opened.push(request.url ?? '');
      socket.on('message', (data: Buffer) => socket.send(Buffer.from(`typed ${data.toString()}`)));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const folder = mkdtempSync(join(tmpdir(), 'kvorum-cli-'));
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, `${TOKEN}\n`);
    closers.push(() => {
      sockets.close();
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { at: { url, tokenFile, loginFile: join(folder, 'login') }, opened, folder, png };
  }

  it('kvorum vm attach types what is typed and shows what comes', async () => {
    const { at, opened } = await openServer();
    const run = await runKvorum(at, 'vm attach web-1 --backlog 0', { stdin: 'ls', interruptAfter: 'typed ls' });
    expect(run).toEqual({ exitCode: 0, stdout: 'typed ls', stderr: 'the session is over: left\n' });
    expect(opened).toEqual(['/console?token=kvc1_x&backlogBytes=0']);
  });

  it('kvorum vm screenshot saves the file', async () => {
    const { at, folder, png } = await openServer();
    const file = join(folder, 'screen.png');
    expect(await runKvorum(at, `vm screenshot web-1 -f ${file}`)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(file)).toEqual(png);
  });

  it('kvorum vm vnc --url gives the address for a browser', async () => {
    const { at } = await openServer();
    const { stdout } = await runKvorum(at, 'vm vnc web-1 --url');
    expect(stdout).toBe(`${at.url.replace('http', 'ws')}/console?token=kvc1_x\n`);
  });
});
