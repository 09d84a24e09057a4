import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { ImageId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteImage } from '../../src/image/delete-image.js';
import { downloadImage } from '../../src/image/download-image.js';
import { downloadImageOperation, type ImageServices } from '../../src/image/download-image.operation.js';
import { getImage } from '../../src/image/images.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aName } from '../world/fleet-builder.js';
import { type ImageServer, openImageServer } from '../world/image-server.js';
import { aQcow2File } from '../world/qcow2.js';
import { openTestControlPlane, type TestControlPlane } from '../world/test-control-plane.js';

let test: TestControlPlane;
let server: ImageServer;
beforeAll(async () => {
  test = await openTestControlPlane();
  server = await openImageServer();
});
afterAll(async () => {
  await server.close();
  await test.close();
});

let seed = 0;
const aFile = (changes = {}) => {
  seed += 1;
  return aQcow2File(seed, changes);
};
const ask = (url: string, checksum: { sha256?: string; sha512?: string }) =>
  downloadImage(test.cp, test.admin, { name: aName('image'), isPublic: false, labels: {}, url, ...checksum });

const work = async (operationId: string, services: Partial<ImageServices> = {}) => {
  const worker = makeWorker(test.cp.database, downloadImageOperation, { ...test.cp, ...services });
  try {
    return await workToEnd(test.cp.database, worker, operationId);
  } finally {
    worker.die();
  }
};
const filesOf = async (imageId: string) => {
  const folder = join(test.dataDir, 'images');
  const names = [...(await readdir(folder)), ...(await readdir(join(folder, 'incoming')))];
  return names.filter((name) => name.startsWith(imageId));
};
const contentOf = async (imageId: string) => {
  const parts: Uint8Array[] = [];
  for await (const part of test.cp.images.read(imageId, 0)) parts.push(part);
  return Buffer.concat(parts);
};
const send = (bytes: Buffer) => (_: unknown, response: ServerResponse) =>
  response.writeHead(200, { 'content-length': bytes.byteLength }).end(bytes);

const sha512 = (bytes: Buffer) => createHash('sha512').update(bytes).digest('hex');

describe('an image from a web server', () => {
  it('is there once it was fetched and checked, and says where it came from', async () => {
    const { bytes, sha256 } = aFile();
    server.answer(send(bytes));
    const { operation, resourceId } = await ask(server.url, { sha512: sha512(bytes) });
    expect(operation).toMatchObject({ kind: 'image.download', resourceKind: 'image', state: 'queued' });
    expect(await getImage(test.cp, test.admin, resourceId as ImageId)).toMatchObject({
      state: 'downloading',
      sha256: null,
      source: { url: server.url, format: null, sha256: null },
    });
    expect(await work(operation.id)).toEqual({ state: 'succeeded', error: null });
    expect(await getImage(test.cp, test.admin, resourceId as ImageId)).toMatchObject({
      state: 'available',
      sha256,
      sizeBytes: bytes.byteLength,
      source: { url: server.url, format: 'qcow2', sha256 },
    });
    expect((await contentOf(resourceId)).equals(bytes)).toBe(true);
  });

  it('is fetched on from where the connection broke', async () => {
    const { bytes, sha256 } = aFile();
    server.answer((request, response) => {
      const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const rest = bytes.subarray(offset);
      response.writeHead(offset === 0 ? 200 : 206, { etag: '"one"', 'content-length': rest.byteLength });
      response.write(rest.subarray(0, 100_000), () => response.destroy());
      if (rest.byteLength <= 100_000) response.end();
    });
    const { operation, resourceId } = await ask(server.url, { sha256 });
    expect(await work(operation.id)).toEqual({ state: 'succeeded', error: null });
    expect((await contentOf(resourceId)).equals(bytes)).toBe(true);
    expect(server.requests.length).toBeGreaterThan(1);
    expect(server.requests.slice(1).map(({ headers }) => headers['if-range'])).toEqual(
      server.requests.slice(1).map(() => '"one"'),
    );
  });

  it.each<[string, number, string | undefined, string, string]>([
    ['is not there', 404, undefined, 'not_found', 'answers 404'],
    ['needs a login', 401, undefined, 'forbidden', 'answers 401'],
    ['leads to the metadata service', 302, 'http://169.254.169.254/latest', 'forbidden', 'not a public address'],
    ['leads inside by IPv6', 302, 'http://[::ffff:10.0.0.1]/', 'forbidden', 'not a public address'],
    ['leads to a file', 302, 'file:///etc/passwd', 'forbidden', 'redirects from http: to file:'],
    ['leads nowhere', 302, undefined, 'not_found', 'redirects to nowhere'],
    ['leads in a circle', 302, '/image', 'not_found', 'more than 5 redirects'],
  ])('fails when the URL %s, and leaves nothing', async (_, status, location, code, words) => {
    server.answer((_request, response) => response.writeHead(status, location === undefined ? {} : { location }).end());
    const { operation, resourceId } = await ask(server.url, { sha256: 'a'.repeat(64) });
    const end = await work(operation.id);
    expect(end).toMatchObject({ state: 'failed', error: { code, message: expect.stringContaining(words) } });
    expect(await getImage(test.cp, test.admin, resourceId as ImageId)).toMatchObject({
      state: 'failed',
      failure: { code },
    });
    expect(await filesOf(resourceId)).toEqual([]);
  });

  it.each<[string, (bytes: Buffer) => Buffer, string]>([
    ['another content', (bytes) => Buffer.concat([bytes, Buffer.alloc(512)]), 'checksum_mismatch'],
    ['a web page', () => Buffer.from('<!DOCTYPE html><title>Sign in</title>'), 'image_invalid'],
    ['an image that rests on another file', () => aFile({ backingFile: '/etc/passwd' }).bytes, 'image_invalid'],
  ])('fails when the server sends %s, and leaves nothing', async (_, sent, code) => {
    const { bytes, sha256 } = aFile();
    server.answer(send(sent(bytes)));
    const { operation, resourceId } = await ask(server.url, { sha256 });
    expect(await work(operation.id)).toMatchObject({ state: 'failed', error: { code } });
    expect(await filesOf(resourceId)).toEqual([]);
  });

  it('is refused a name that means an address inside, when it is connected to', async () => {
    const { sha256, bytes } = aFile();
    server.answer(send(bytes));
    const url = server.url.replace('127.0.0.1', 'localhost');
    const { operation } = await ask(url, { sha256 });
    const publicOnly = { imageSources: { hosts: ['*'], privateNetworks: [] } };
    expect(await work(operation.id, publicOnly)).toMatchObject({ state: 'failed', error: { code: 'forbidden' } });
    expect(server.requests).toEqual([]);
  });

  it('is refused at once from where the operator does not allow it', async () => {
    const cp = { ...test.cp, imageSources: { hosts: ['*.example.org'], privateNetworks: [] } };
    const request = { name: aName('image'), isPublic: false, labels: {}, sha256: 'a'.repeat(64) };
    for (const url of ['https://evil.example/a', 'https://169.254.169.254/a', 'https://[fe80::1]/a']) {
      await expect(downloadImage(cp, test.admin, { ...request, url })).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  it('can be deleted while it is fetched; then nothing is left of it', async () => {
    const { bytes, sha256 } = aFile();
    let imageId = '' as ImageId;
    server.answer((_, response) => {
      response.writeHead(200, { 'content-length': bytes.byteLength });
      response.write(bytes.subarray(0, 50_000));
      void deleteImage(test.cp, test.admin, imageId).then(() => response.end(bytes.subarray(50_000)));
    });
    const { operation, resourceId } = await ask(server.url, { sha256 });
    imageId = resourceId as ImageId;
    await work(operation.id);
    await expect(getImage(test.cp, test.admin, imageId)).rejects.toMatchObject({ code: 'not_found' });
    await test.cp.images.remove(imageId);
    expect(await filesOf(imageId)).toEqual([]);
  });

  it('is asked for once under one key', async () => {
    const actor = await test.actor('operator');
    const idempotency = { key: 'download', requestSha256: createHash('sha256').update('x').digest() };
    const request = { name: aName('image'), isPublic: false, labels: {}, url: server.url, sha256: 'b'.repeat(64) };
    const one = await downloadImage(test.cp, actor, request, { idempotency });
    const again = await downloadImage(test.cp, actor, request, { idempotency });
    expect([again.operation.id, again.resourceId]).toEqual([one.operation.id, one.resourceId]);
  });
});

proveOperation({
  definition: downloadImageOperation,
  arrange: async () => {
    const { bytes, sha256 } = aFile();
    server.answer(send(bytes));
    return { database: test.cp.database, bytes, sha256, imageId: '' };
  },
  request: async (world) => {
    const { operation, resourceId } = await ask(server.url, { sha256: world.sha256 });
    world.imageId = resourceId;
    return operation.id;
  },
  services: () => test.cp,
  expectDone: async (world) => {
    expect((await getImage(test.cp, test.admin, world.imageId as ImageId)).state).toBe('available');
    expect(await filesOf(world.imageId)).toEqual([`${world.imageId}.qcow2`]);
    expect((await contentOf(world.imageId)).equals(world.bytes)).toBe(true);
  },
  expectCleanSlate: async (world) => {
    expect((await getImage(test.cp, test.admin, world.imageId as ImageId)).state).toBe('failed');
    expect(await filesOf(world.imageId)).toEqual([]);
  },
  close: async () => undefined,
});
