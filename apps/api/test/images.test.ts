import { readdir, symlink, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeQcow2, sha256Of, type TestImage } from './make-qcow2.js';
import { type Answer, openSite, type Site } from './open-site.js';
import { SOON } from './soon.js';

const IMAGE_BYTES_MAX = 4 * 1024 * 1024;
const BYTES = { 'content-type': 'application/octet-stream' };

let site: Site;
let image: TestImage;
beforeAll(async () => {
  site = await openSite({ imageBytesMax: IMAGE_BYTES_MAX });
  image = await makeQcow2(site.importDir, 'good.qcow2');
});
afterAll(() => site.close());

let announcedCount = 0;
async function announce(sha256: string, headers: Record<string, string> = {}): Promise<Answer> {
  announcedCount += 1;
  return site.ask('POST', '/v1/images', { as: 'operator', body: { name: `i${announcedCount}`, sha256 }, headers });
}
const upload = (id: string, raw: Buffer): Promise<Answer> =>
  site.ask('PUT', `/v1/images/${id}/content`, { as: 'operator', raw, headers: BYTES });
const filesOfImages = async (): Promise<string[]> =>
  (await readdir(join(site.dataDir, 'images'), { recursive: true })).filter(
    (name) => name !== 'incoming' && name !== 'parts',
  );

describe('an image', () => {
  it('is announced, uploaded, checked, found, and deleted with its file', async () => {
    const announced = await announce(image.sha256);
    const { id } = announced.body;
    expect(announced).toMatchObject({
      status: 201,
      headers: { location: `/v1/images/${id}`, etag: `"${announced.body.generation}"` },
      body: { state: 'uploading', sha256: image.sha256, sizeBytes: null },
    });
    const uploaded = await upload(id, image.bytes);
    expect(uploaded).toMatchObject({
      status: 200,
      body: { state: 'available', sizeBytes: image.bytes.byteLength, virtualSizeBytes: 4 * 1024 * 1024 },
    });
    expect(await site.ask('GET', `/v1/images/${id}`, { as: 'viewer' })).toMatchObject({
      headers: { etag: `"${uploaded.body.generation}"` },
      body: uploaded.body,
    });
    const listed = await site.ask('GET', `/v1/images?sha256=${image.sha256}&state=available`, { as: 'viewer' });
    expect(listed.body.items).toEqual([uploaded.body]);
    expect(await upload(id, image.bytes)).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    expect((await site.ask('DELETE', `/v1/images/${id}`, { as: 'operator' })).status).toBe(204);
    expect((await site.ask('GET', `/v1/images/${id}`, { as: 'viewer' })).status).toBe(404);
    expect(await filesOfImages()).toEqual([]);
  });

  it('is uploaded in parts, in any order, and a part that broke off again', async () => {
    const { id } = (await announce(image.sha256)).body;
    const half = Math.ceil(image.bytes.byteLength / 2);
    const send = (number: number, raw: Buffer) =>
      site.ask('PUT', `/v1/images/${id}/parts/${number}`, { as: 'operator', raw, headers: BYTES });
    const complete = (partCount: number) =>
      site.ask('POST', `/v1/images/${id}/complete`, { as: 'operator', body: { partCount } });
    const rest = image.bytes.subarray(half);
    expect(await send(2, rest)).toMatchObject({ status: 200, body: { number: 2, sizeBytes: rest.byteLength } });
    expect(await complete(2)).toMatchObject({
      status: 409,
      body: { code: 'conflict_state', errors: [{ field: 'body.partCount', message: 'part 1 of 2 has not arrived' }] },
    });
    await send(1, Buffer.from('something else'));
    await send(1, image.bytes.subarray(0, half));
    expect((await site.ask('GET', `/v1/images/${id}/parts`, { as: 'operator' })).body).toEqual({
      items: [
        { number: 1, sizeBytes: half },
        { number: 2, sizeBytes: rest.byteLength },
      ],
    });
    const done = await complete(2);
    expect(done).toMatchObject({ status: 200, body: { state: 'available', sizeBytes: image.bytes.byteLength } });
    expect((await complete(2)).body).toEqual(done.body);
    expect((await send(1, rest)).body).toMatchObject({ code: 'conflict_state' });
    expect((await site.ask('GET', `/v1/images/${id}/parts`, { as: 'operator' })).body).toEqual({ items: [] });
    expect((await site.ask('DELETE', `/v1/images/${id}`, { as: 'operator' })).status).toBe(204);
    expect(await filesOfImages()).toEqual([]);
  });

  it('is refused with all its parts when they are not what was announced', async () => {
    const { id } = (await announce(image.sha256)).body;
    const part = { as: 'operator', raw: image.bytes.subarray(1), headers: BYTES } as const;
    await site.ask('PUT', `/v1/images/${id}/parts/1`, part);
    expect(
      await site.ask('POST', `/v1/images/${id}/complete`, { as: 'operator', body: { partCount: 1 } }),
    ).toMatchObject({ status: 422, body: { errors: [{ field: 'body' }] } });
    expect(await filesOfImages()).toEqual([]);
    await site.ask('DELETE', `/v1/images/${id}`, { as: 'operator' });
  });

  it('has no parts that are larger together than an image may be', async () => {
    const { id } = (await announce(image.sha256)).body;
    const raw = Buffer.alloc(IMAGE_BYTES_MAX / 2 + 1);
    const send = (number: number) =>
      site.ask('PUT', `/v1/images/${id}/parts/${number}`, { as: 'operator', raw, headers: BYTES });
    expect((await send(1)).status).toBe(200);
    expect(await send(2)).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large', errors: [{ field: 'body' }] },
    });
    await site.ask('DELETE', `/v1/images/${id}`, { as: 'operator' });
    expect(await filesOfImages()).toEqual([]);
  });

  it('is imported from the import folder, once per idempotency key', async () => {
    const body = { name: 'imported', fileName: 'good.qcow2', sha256: image.sha256 };
    const headers = { 'idempotency-key': 'import-1' };
    const first = await site.ask('POST', '/v1/images/import', { as: 'operator', body, headers });
    expect(first).toMatchObject({ status: 201, body: { name: 'imported', state: 'available' } });
    const again = await site.ask('POST', '/v1/images/import', { as: 'operator', body, headers });
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(await filesOfImages()).toEqual([`${first.body.id}.qcow2`]);
    const other = { ...body, name: 'another' };
    expect(await site.ask('POST', '/v1/images/import', { as: 'operator', body: other, headers })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict' },
    });
  });

  it('is announced once per idempotency key, however many requests come at the same time', async () => {
    const body = { name: 'once', sha256: image.sha256 };
    const headers = { 'idempotency-key': 'announce-1' };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => site.ask('POST', '/v1/images', { as: 'operator', body, headers })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 8 }, () => 201));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    // Field order and spelled-out defaults do not make it another request; another token's key is another key.
    const same = { labels: {}, sha256: image.sha256, isPublic: false, name: 'once' };
    expect((await site.ask('POST', '/v1/images', { as: 'operator', body: same, headers })).body.id).toBe(
      answers[0]?.body.id,
    );
    const other = await site.ask('POST', '/v1/images', { as: 'admin', body, headers });
    expect(other).toMatchObject({ status: 409, body: { code: 'already_exists' } });
  });

  it('of a project is invisible to other projects unless it is public', async () => {
    const own = await announce(image.sha256);
    expect((await site.ask('GET', `/v1/images/${own.body.id}`, { as: 'projectViewer' })).status).toBe(404);
    const body = { name: 'for-all', sha256: image.sha256, isPublic: true };
    expect(await site.ask('POST', '/v1/images', { as: 'operator', body })).toMatchObject({
      status: 403,
      body: { errors: [{ field: 'body.isPublic' }] },
    });
    const open = await site.ask('POST', '/v1/images', { as: 'admin', body });
    expect((await site.ask('GET', `/v1/images/${open.body.id}`, { as: 'projectViewer' })).status).toBe(200);
    expect((await site.ask('DELETE', `/v1/images/${open.body.id}`, { as: 'projectOperator' })).status).toBe(403);
  });
});

describe('content that is refused', () => {
  const refusals: [string, () => Promise<{ sent: Buffer; sha256?: string }>, number, string, RegExp][] = [
    [
      'has another checksum',
      async () => ({ sent: image.bytes, sha256: 'a'.repeat(64) }),
      422,
      'checksum_mismatch',
      /SHA-256/,
    ],
    ['is not qcow2', async () => ({ sent: Buffer.from('#!/bin/sh\n'.repeat(100)) }), 422, 'image_invalid', /qcow2/],
    ['is empty', async () => ({ sent: Buffer.alloc(0) }), 422, 'image_invalid', /./],
    ['is cut off', async () => ({ sent: image.bytes.subarray(0, 300) }), 422, 'image_invalid', /./],
    [
      'rests on a file of this machine',
      async () => ({ sent: (await makeQcow2(site.dataDir, 'evil.qcow2', '/etc/passwd')).bytes }),
      422,
      'image_invalid',
      /backing/,
    ],
    [
      'is too large',
      async () => ({ sent: Buffer.concat([image.bytes, Buffer.alloc(IMAGE_BYTES_MAX)]) }),
      413,
      'payload_too_large',
      /./,
    ],
  ];

  it.each(refusals)(
    'because it %s: the reason is told and kept, and no file is left',
    async (_case, make, status, code, reason) => {
      const { sent, sha256 } = await make();
      const { id } = (await announce(sha256 ?? sha256Of(sent))).body;
      const files = await filesOfImages();
      const answer = await upload(id, sent);
      expect(answer).toMatchObject({ status, body: { code, errors: [{ field: 'body' }] } });
      expect(answer.body.detail).toMatch(reason);
      expect(answer.body.detail).not.toContain('root:');
      expect(await filesOfImages()).toEqual(files);
      expect((await site.ask('GET', `/v1/images/${id}`, { as: 'viewer' })).body.state).not.toBe('available');
      await site.ask('DELETE', `/v1/images/${id}`, { as: 'operator' });
    },
  );

  it('may be sent again', async () => {
    const { id } = (await announce(image.sha256)).body;
    expect((await upload(id, image.bytes.subarray(0, 1000))).status).toBe(422);
    expect(await upload(id, image.bytes)).toMatchObject({ status: 200, body: { state: 'available' } });
  });

  it('because the sender went away leaves no file and no stuck request', async () => {
    const { id } = (await announce(image.sha256)).body;
    const files = await filesOfImages();
    const address = new URL(await site.app.listen({ host: '127.0.0.1', port: 0 }));
    const sending = httpRequest({
      method: 'PUT',
      host: address.hostname,
      port: address.port,
      path: `/v1/images/${id}/content`,
      headers: {
        ...BYTES,
        authorization: `Bearer ${site.tokens.operator.secret}`,
        'content-length': image.bytes.byteLength,
      },
    });
    sending.on('error', () => {});
    sending.write(image.bytes.subarray(0, 100_000));
    await expect.poll(() => readdir(join(site.dataDir, 'images/incoming')), SOON).toHaveLength(1);
    const closed = new Promise((resolve) => sending.once('close', resolve));
    sending.destroy();
    await closed;
    await expect.poll(() => readdir(join(site.dataDir, 'images/incoming')), SOON).toEqual([]);
    expect(await filesOfImages()).toEqual(files);
    await expect
      .poll(async () => (await site.ask('GET', `/v1/images/${id}`, { as: 'viewer' })).body.state, SOON)
      .not.toBe('available');
  });
});

describe('an import that is refused', () => {
  it.each([
    ['a file that is not there', 'none.qcow2', 404, 'not_found', 'body.fileName'],
    ['a way out of the folder', '../ca/ca.key', 400, 'invalid_request', 'body.fileName'],
    ['an absolute path', '/etc/passwd', 400, 'invalid_request', 'body.fileName'],
    ['a hidden file', '.good.qcow2', 400, 'invalid_request', 'body.fileName'],
    ['a name with NUL', 'good.qcow2\0', 400, 'invalid_request', 'body.fileName'],
    ['a symbolic link', 'link.qcow2', 400, 'invalid_request', 'body.fileName'],
    ['text', 'text.qcow2', 422, 'image_invalid', 'body.fileName'],
    ['an image that rests on another file', 'evil.qcow2', 422, 'image_invalid', 'body.fileName'],
    ['another checksum', 'good.qcow2', 422, 'checksum_mismatch', 'body.sha256'],
  ])('%s changes nothing', async (_case, fileName, status, code, field) => {
    await symlink('/etc/passwd', join(site.importDir, 'link.qcow2')).catch(() => {});
    await writeFile(join(site.importDir, 'text.qcow2'), 'hello');
    const evil = await makeQcow2(site.importDir, 'evil.qcow2', '/etc/passwd');
    const sha256 =
      fileName === 'evil.qcow2' ? evil.sha256 : fileName === 'text.qcow2' ? sha256Of('hello') : 'b'.repeat(64);
    const before = { rows: await site.contents(), files: await filesOfImages() };
    const body = { name: 'refused', fileName, sha256 };
    const answer = await site.ask('POST', '/v1/images/import', { as: 'operator', body });
    expect(answer).toMatchObject({ status, body: { code, errors: [{ field }] } });
    expect({ rows: await site.contents(), files: await filesOfImages() }).toEqual(before);
  });
});
