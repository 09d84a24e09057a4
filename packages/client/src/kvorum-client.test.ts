import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createKvorumClient } from './kvorum-client.js';
import { paginate } from './paginate.js';
import type { Operation } from './shapes.js';

interface Seen {
  readonly call: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
type Handler = (request: IncomingMessage, response: ServerResponse, seen: readonly Seen[]) => void;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server of one handler, and a client of it. */
async function serve(handler: Handler) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({
      call: `${request.method} ${request.url}`,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    });
    handler(request, response, seen);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: createKvorumClient({ baseUrl: `${baseUrl}/`, token: 'kvt1_test' }), seen };
}
const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

const ID = '019a0000-0000-7000-8000-000000000001';
const BUSY = { code: 'unavailable', detail: 'not now', remedy: 'Try again.', requestId: 'r-1' };
const anOperation = (changes: Partial<Operation> = {}): Operation => ({
  id: ID,
  kind: 'vm.create',
  projectId: null,
  resourceKind: 'vm',
  resourceId: ID,
  state: 'running',
  steps: [],
  progress: null,
  isCancellable: true,
  error: null,
  createdBy: 'admin',
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: null,
  finishedAt: null,
  deadlineAt: '2026-01-01T00:10:00.000Z',
  ...changes,
});

describe('calls', () => {
  it('carry the token, and hand on the body of the answer', async () => {
    const { client, seen } = await serve((_request, response) => json(response, 200, { id: ID, name: 'web-1' }));
    expect(await client.vms.get(ID)).toEqual({ id: ID, name: 'web-1' });
    expect(seen[0]).toMatchObject({ call: `GET /v1/vms/${ID}`, headers: { authorization: 'Bearer kvt1_test' } });
  });

  it('repeat a mutation under one Idempotency-Key, and take another for another call', async () => {
    const { client, seen } = await serve((_request, response, before) =>
      before.length === 1
        ? json(response, 503, BUSY, { 'retry-after': '0' })
        : json(response, 202, { resourceId: ID, operation: anOperation() }),
    );
    await client.vms.press(ID, 'start');
    await client.vms.press(ID, 'start');
    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  it('send the key and the generation that the caller gives', async () => {
    const { client, seen } = await serve((_request, response) => json(response, 202, {}));
    await client.vms.stop(ID, { graceMs: 5, idempotencyKey: 'mine', ifMatch: 3 });
    expect(seen[0]).toMatchObject({ body: '{"graceMs":5}', headers: { 'idempotency-key': 'mine', 'if-match': '"3"' } });
  });

  it('are not repeated where the route honours no key', async () => {
    const { client, seen } = await serve((_request, response) => json(response, 503, BUSY));
    const quota = { vmCount: 1, vcpuCount: 1, memoryBytes: 1, diskBytes: 1 };
    await expect(client.projects.create({ name: 'a', quota })).rejects.toMatchObject({ code: 'unavailable' });
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined]);
  });

  it('take 204 for done', async () => {
    const { client } = await serve((_request, response) => response.writeHead(204).end());
    expect(await client.images.delete(ID)).toBeUndefined();
  });

  it('refuse an answer that is a web page', async () => {
    const { client } = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    );
    await expect(client.vms.list()).rejects.toMatchObject({ code: 'unexpected_answer', status: 200 });
  });

  it('say what is wrong with an answer that breaks off', async () => {
    const { client } = await serve((_request, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
        .write('{"items":', () => response.destroy());
    });
    await expect(client.vms.list()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it.each(['', 'kvorum', 'ftp://host', 'file:///etc/passwd'])('refuse the address "%s"', (baseUrl) => {
    expect(() => createKvorumClient({ baseUrl, token: 't' })).toThrow('must be an http or https URL');
  });

  it('page through a list to its end', async () => {
    const { client, seen } = await serve((request, response) =>
      request.url?.includes('cursor=2') === true
        ? json(response, 200, { items: [{ id: 'c' }], nextCursor: null })
        : json(response, 200, { items: [{ id: 'a' }, { id: 'b' }], nextCursor: '2' }),
    );
    const ids: string[] = [];
    for await (const { id } of paginate((cursor) => client.vms.list({ limit: 2, ...(cursor && { cursor }) })))
      ids.push(id);
    expect(ids).toEqual(['a', 'b', 'c']);
    expect(seen.map(({ call }) => call)).toEqual(['GET /v1/vms?limit=2', 'GET /v1/vms?limit=2&cursor=2']);
  });
});

describe('watching an operation', () => {
  const stream = (response: ServerResponse, ...events: readonly [string, unknown][]) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 1\n\n');
    for (const [event, data] of events) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    return response;
  };
  const progress = { phase: 'image', doneBytes: 1, totalBytes: 2, bytesPerSecond: null, etaSeconds: null };

  it('tells of each change over a broken connection, and ends with the operation', async () => {
    const { client, seen } = await serve((_request, response, before) => {
      if (before.length === 1) stream(response, ['operation', anOperation()], ['progress', progress]).destroy();
      else stream(response, ['operation', anOperation({ state: 'succeeded' })]);
    });
    const updates: unknown[] = [];
    const end = await client.operations.watch(ID, {
      onUpdate: ({ state, progress: at }) => updates.push([state, at?.phase]),
    });
    expect(end.state).toBe('succeeded');
    expect(updates.at(-1)).toEqual(['succeeded', undefined]);
    expect(seen.map(({ call }) => call)).toEqual(Array(2).fill(`GET /v1/operations/${ID}/watch`));
  });

  it('carries progress on as part of the operation', async () => {
    const { client } = await serve((_request, response) =>
      stream(
        response,
        ['operation', anOperation()],
        ['progress', progress],
        ['operation', anOperation({ state: 'stuck' })],
      ),
    );
    const updates: unknown[] = [];
    await client.operations.watch(ID, { onUpdate: ({ state, progress: at }) => updates.push([state, at]) });
    expect(updates).toEqual([
      ['running', null],
      ['running', progress],
      ['stuck', null],
    ]);
  });

  it('throws what the operation failed with, and the remedy of the catalogue', async () => {
    const error = { code: 'host_fault' as const, message: 'no room on the disk', details: { freeBytes: 1 } };
    const { client } = await serve((request, response) =>
      request.url === '/v1/errors/host_fault'
        ? json(response, 200, { code: 'host_fault', status: 502, remedy: 'Look at the host.' })
        : stream(response, ['operation', anOperation({ state: 'failed', error })]),
    );
    await expect(client.operations.wait(ID)).rejects.toMatchObject({
      code: 'host_fault',
      detail: 'no room on the disk',
      remedy: 'Look at the host.',
      details: { freeBytes: 1, operationId: ID },
    });
  });

  it('stops waiting at once when the caller does', async () => {
    const { client } = await serve((_request, response) => stream(response, ['operation', anOperation()]));
    const abort = new AbortController();
    const reason = new RangeError('enough');
    const watching = client.operations.watch(ID, { signal: abort.signal, onUpdate: () => abort.abort(reason) });
    await expect(watching).rejects.toBe(reason);
  });

  it('fails at once for an operation that is not there', async () => {
    const { client } = await serve((_request, response) => json(response, 404, { ...BUSY, code: 'not_found' }));
    await expect(client.operations.watch(ID)).rejects.toMatchObject({
      code: 'not_found',
      status: 404,
      requestId: 'r-1',
    });
  });
});

describe('uploading an image', () => {
  async function* twoChunks() {
    yield Buffer.from('abc');
    yield Buffer.from('de');
  }

  it('sends a file with its size, and tells how far it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvorum-client-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'a.qcow2'), 'abcde');
    const { client, seen } = await serve((_request, response) => json(response, 200, { id: ID, state: 'available' }));
    const told: [number, number | null][] = [];
    const image = await client.images.uploadContent(ID, join(folder, 'a.qcow2'), {
      onProgress: (done, total) => told.push([done, total]),
    });
    expect(image.state).toBe('available');
    expect(told).toEqual([[5, 5]]);
    expect(seen[0]).toMatchObject({
      call: `PUT /v1/images/${ID}/content`,
      body: 'abcde',
      headers: { 'content-length': '5', 'content-type': 'application/octet-stream' },
    });
  });

  it('sends a stream of unknown size in chunks', async () => {
    const { client, seen } = await serve((_request, response) => json(response, 200, {}));
    const told: [number, number | null][] = [];
    await client.images.uploadContent(ID, twoChunks(), { onProgress: (done, total) => told.push([done, total]) });
    expect(told).toEqual([
      [3, null],
      [5, null],
    ]);
    expect(seen[0]).toMatchObject({ body: 'abcde', headers: { 'transfer-encoding': 'chunked' } });
  });

  it('hands on a refusal, and sends nothing twice', async () => {
    const { client, seen } = await serve((_request, response) =>
      json(response, 422, { ...BUSY, code: 'checksum_mismatch' }),
    );
    await expect(client.images.uploadContent(ID, twoChunks())).rejects.toMatchObject({ code: 'checksum_mismatch' });
    expect(seen.length).toBe(1);
  });

  it('in parts sends those that are missing, and one again whose line broke', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvorum-client-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'a.qcow2'), 'abcdefgh');
    const { client, seen } = await serve((request, response, before) => {
      if (request.method === 'GET') return json(response, 200, { items: [{ number: 1, sizeBytes: 3 }] });
      if (before.length === 2) return request.socket.destroy();
      return json(response, 200, { id: ID, state: 'available' });
    });
    const told: number[] = [];
    const image = await client.images.uploadInParts(ID, join(folder, 'a.qcow2'), {
      partBytes: 3,
      onProgress: (doneBytes) => told.push(doneBytes),
    });
    expect(image.state).toBe('available');
    expect(seen.map(({ call, body }) => [call, body])).toEqual([
      [`GET /v1/images/${ID}/parts`, ''],
      [`PUT /v1/images/${ID}/parts/2`, 'def'],
      [`PUT /v1/images/${ID}/parts/2`, 'def'],
      [`PUT /v1/images/${ID}/parts/3`, 'gh'],
      [`POST /v1/images/${ID}/complete`, '{"partCount":3}'],
    ]);
    expect(told).toEqual([3, 6, 6, 6, 8, 8]);
  });

  it('fails when the file is not there', async () => {
    const { client } = await serve((_request, response) => json(response, 200, {}));
    await expect(client.images.uploadContent(ID, '/nowhere/a.qcow2')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
