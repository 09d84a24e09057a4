import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { type CreateImageRequest, type ImageId, newId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, aName, aProject, aVm, ingredients } from '../../test/world/fleet-builder.js';
import { aQcow2File } from '../../test/world/qcow2.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { reconcileImageFiles } from '../reconcilers/orphaned-image-files.reconciler.js';
import { createImage } from './create-image.js';
import { deleteImage } from './delete-image.js';
import { getImage, listImages, readImageFor } from './images.js';
import { importImage } from './import-image.js';
import { uploadImageContent } from './upload-image.js';

const run = promisify(execFile);
let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

let seed = 0;
const aFile = (changes = {}) => {
  seed += 1;
  return aQcow2File(seed, changes);
};
const request = (sha256: string, changes: Partial<CreateImageRequest> = {}): CreateImageRequest => ({
  name: aName('image'),
  sha256,
  isPublic: false,
  labels: {},
  ...changes,
});
const announce = (sha256: string) => createImage(test.cp, test.admin, request(sha256));
const upload = (imageId: ImageId, bytes: Buffer, length: number | null = bytes.byteLength) =>
  uploadImageContent(test.cp, test.admin, imageId, Readable.from(chunksOf(bytes)), length);
function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.byteLength; offset += 1000) yield bytes.subarray(offset, offset + 1000);
}
const filesOf = async (imageId: string) => {
  const folder = join(test.dataDir, 'images');
  const names = [...(await readdir(folder)), ...(await readdir(join(folder, 'incoming')))];
  return names.filter((name) => name.startsWith(imageId));
};
const contentOf = async (parts: AsyncIterable<Uint8Array>) => {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
};

describe('uploading an image', () => {
  it('keeps the content once it is checked', async () => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    expect(image).toMatchObject({ state: 'uploading', sizeBytes: null });
    expect(await upload(image.id, bytes)).toMatchObject({
      state: 'available',
      sizeBytes: bytes.byteLength,
      virtualSizeBytes: 1_048_576,
      failure: null,
    });
    expect(await filesOf(image.id)).toEqual([`${image.id}.qcow2`]);
    expect((await contentOf(test.cp.images.read(image.id, 0))).equals(bytes)).toBe(true);
    expect((await contentOf(test.cp.images.read(image.id, 100_000))).equals(bytes.subarray(100_000))).toBe(true);
  });

  it.each<[string, (file: Buffer) => [Buffer, number | null], string]>([
    ['another content', (file) => [Buffer.concat([file, Buffer.alloc(1)]), null], 'checksum_mismatch'],
    ['less than announced', (file) => [file.subarray(0, 1000), file.byteLength], 'image_invalid'],
    ['more than announced', (file) => [file, file.byteLength - 1], 'payload_too_large'],
    ['more than any image may have', (file) => [file, 2 ** 52], 'payload_too_large'],
    ['nothing', () => [Buffer.alloc(0), 0], 'image_invalid'],
    ['plain text', () => [Buffer.from('#!/bin/sh\n'), null], 'image_invalid'],
  ])('refuses %s, says why, leaves no file, and takes the right content afterwards', async (_, sent, code) => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    await expect(upload(image.id, ...sent(bytes))).rejects.toMatchObject({ code });
    expect(await getImage(test.cp, test.admin, image.id)).toMatchObject({ state: 'failed', failure: { code } });
    expect(await filesOf(image.id)).toEqual([]);
    expect((await upload(image.id, bytes)).state).toBe('available');
  });

  it('refuses an image that rests on another file, though its checksum is right', async () => {
    const { bytes, sha256 } = aFile({ backingFile: '/etc/passwd' });
    const image = await announce(sha256);
    await expect(upload(image.id, bytes)).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining('a backing file (/etc/passwd)'),
    });
    expect(await filesOf(image.id)).toEqual([]);
  });

  it('is won by one of two that send the same image at the same time', async () => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    const ends = await Promise.allSettled([upload(image.id, bytes), upload(image.id, bytes), upload(image.id, bytes)]);
    const codes = ends.map((end) => (end.status === 'fulfilled' ? end.value.state : end.reason.code));
    expect(codes.sort()).toEqual(['available', 'conflict_state', 'conflict_state']);
    expect(await filesOf(image.id)).toEqual([`${image.id}.qcow2`]);
    expect((await contentOf(test.cp.images.read(image.id, 0))).equals(bytes)).toBe(true);
  });

  it('leaves nothing when the sender goes away', async () => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    const broken = Readable.from(
      (function* () {
        yield bytes.subarray(0, 5000);
        throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      })(),
    );
    await expect(uploadImageContent(test.cp, test.admin, image.id, broken, null)).rejects.toThrow('socket hang up');
    expect(await filesOf(image.id)).toEqual([]);
    expect((await getImage(test.cp, test.admin, image.id)).state).toBe('uploading');
  });

  it('leaves no file when the image is deleted meanwhile', async () => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    const slow = Readable.from(
      (async function* () {
        yield bytes.subarray(0, 5000);
        await deleteImage(test.cp, test.admin, image.id);
        yield bytes.subarray(5000);
      })(),
    );
    await expect(uploadImageContent(test.cp, test.admin, image.id, slow, null)).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await filesOf(image.id)).toEqual([]);
  });

  it('passes what qemu-img itself makes', async () => {
    const path = join(test.dataDir, 'made.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', path, '16M']);
    const bytes = await (await import('node:fs/promises')).readFile(path);
    const image = await announce(createHash('sha256').update(bytes).digest('hex'));
    expect((await upload(image.id, bytes)).virtualSizeBytes).toBe(16 * 1_048_576);
  });
});

describe('importing an image', () => {
  const put = async (name: string, bytes: Buffer) => writeFile(join(test.importDir, name), bytes);
  const importFile = (fileName: string, sha256: string, changes = {}) =>
    importImage(test.cp, test.admin, { ...request(sha256), fileName, ...changes });
  const imageCount = async () => (await test.sql('SELECT count(*)::int AS n FROM images'))[0];

  it('takes a plain file of the import folder', async () => {
    const { bytes, sha256 } = aFile();
    await put('good.qcow2', bytes);
    const image = await importFile('good.qcow2', sha256);
    expect(image).toMatchObject({ state: 'available', sizeBytes: bytes.byteLength });
    expect((await contentOf(test.cp.images.read(image.id, 0))).equals(bytes)).toBe(true);
  });

  it.each<[string, string, string]>([
    ['a file that is not there', 'missing.qcow2', 'not_found'],
    ['a path', '../good.qcow2', 'invalid_request'],
    ['an absolute path', '/etc/passwd', 'invalid_request'],
    ['a name with NUL', 'a\0b', 'invalid_request'],
    ['a symbolic link', 'link.qcow2', 'invalid_request'],
    ['a folder', 'folder', 'invalid_request'],
    ['a pipe', 'pipe', 'invalid_request'],
    ['a device by a link', 'zero', 'invalid_request'],
  ])('refuses %s and changes nothing', async (_, fileName, code) => {
    const { bytes, sha256 } = aFile();
    await put('target', bytes);
    await symlink(join(test.importDir, 'target'), join(test.importDir, 'link.qcow2')).catch(() => undefined);
    await symlink('/dev/zero', join(test.importDir, 'zero')).catch(() => undefined);
    await mkdir(join(test.importDir, 'folder'), { recursive: true });
    await run('mkfifo', [join(test.importDir, 'pipe')]).catch(() => undefined);
    const before = await imageCount();
    await expect(importFile(fileName, sha256)).rejects.toMatchObject({ code });
    expect(await imageCount()).toEqual(before);
  });

  it('leaves neither row nor file when the content is refused or the name is taken', async () => {
    const { bytes, sha256 } = aFile();
    await put('twice.qcow2', bytes);
    const first = await importFile('twice.qcow2', sha256);
    const [rows, files] = [await imageCount(), await readdir(join(test.dataDir, 'images'))];
    await expect(importFile('twice.qcow2', 'f'.repeat(64))).rejects.toMatchObject({ code: 'checksum_mismatch' });
    await expect(importFile('twice.qcow2', sha256, { name: first.name })).rejects.toMatchObject({
      code: 'already_exists',
    });
    expect([await imageCount(), await readdir(join(test.dataDir, 'images'))]).toEqual([rows, files]);
  });

  it('is done once under one key', async () => {
    const { bytes, sha256 } = aFile();
    await put('keyed.qcow2', bytes);
    const options = { idempotency: { key: 'import', requestSha256: createHash('sha256').update('x').digest() } };
    const body = { ...request(sha256), fileName: 'keyed.qcow2' };
    const one = await importImage(test.cp, test.admin, body, options);
    const files = await readdir(join(test.dataDir, 'images'));
    expect(await importImage(test.cp, test.admin, body, options)).toEqual(one);
    expect(await readdir(join(test.dataDir, 'images'))).toEqual(files);
  });
});

describe('who may see and change an image', () => {
  it('is its project; public ones can be used by all and changed by none of them', async () => {
    const [mine, other] = [await aProject(test), await aProject(test)];
    const [operator, stranger] = [await test.actor('operator', mine.id), await test.actor('operator', other.id)];
    const own = await createImage(test.cp, operator, request('a'.repeat(64)));
    const shared = await createImage(
      test.cp,
      test.admin,
      request('b'.repeat(64), { isPublic: true, projectId: mine.id }),
    );
    expect(own.projectId).toBe(mine.id);
    const listed = await listImages(test.cp, stranger, { limit: 500 });
    expect(listed.items.map((image) => image.id)).toContain(shared.id);
    expect(listed.items.map((image) => image.id)).not.toContain(own.id);
    await expect(getImage(test.cp, stranger, own.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(deleteImage(test.cp, stranger, own.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(deleteImage(test.cp, stranger, shared.id)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(createImage(test.cp, operator, request('c'.repeat(64), { isPublic: true }))).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('deleting an image', () => {
  it('is refused while a VM was made from it, and then takes the file along', async () => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    await upload(image.id, bytes);
    const hostId = await aHost(test);
    const { vmId } = await aVm(test, { ...(await ingredients(test)), imageId: image.id });
    await expect(deleteImage(test.cp, test.admin, image.id)).rejects.toMatchObject({ code: 'in_use' });
    expect((await contentOf(readImageFor(test.cp, hostId, image.id, 0))).equals(bytes)).toBe(true);
    await test.sql('UPDATE vms SET deleted_at = now() WHERE id = $1', [vmId]);
    await expect(contentOf(readImageFor(test.cp, hostId, image.id, 0))).rejects.toMatchObject({ code: 'not_found' });
    await deleteImage(test.cp, test.admin, image.id);
    expect(await filesOf(image.id)).toEqual([]);
    await expect(getImage(test.cp, test.admin, image.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  describe('while it lies in a drive of a VM', () => {
    const drives = (imageId: string | null) => JSON.stringify([{ name: 'install', imageId }]);
    const inShape = `jsonb_build_object('hardware', jsonb_build_object('devices', jsonb_build_object('cdroms', $2::jsonb)))`;
    const intoOperation = `WITH o AS (
      INSERT INTO operations (id, kind, resource_kind, resource_id, state, input, created_by, deadline_at, unwind_deadline_at,
                              deadline_ms, unwind_deadline_ms)
      VALUES ('${newId()}', 'vm.update', 'vm', $1, 'running', jsonb_build_object('images', $2::jsonb), 'test', now(), now(), 1, 1)
      RETURNING id)
      UPDATE vms SET operation_id = o.id FROM o WHERE vms.id = $1`;

    it.each([
      ['now', `UPDATE vms SET hardware = jsonb_set(hardware, '{devices,cdroms}', $2::jsonb) WHERE id = $1`],
      ['from its next start on', `UPDATE vms SET next_shape = ${inShape} WHERE id = $1`],
      ['once the operation under way has put it there', intoOperation],
    ])('%s, is refused, and its host gets it', async (_when, put) => {
      const { bytes, sha256 } = aFile();
      const image = await announce(sha256);
      await upload(image.id, bytes);
      await aHost(test);
      const { vmId } = await aVm(test, await ingredients(test));
      const hostId = String((await test.sql('SELECT host_id FROM vms WHERE id = $1', [vmId]))[0]?.['host_id']);
      await expect(contentOf(readImageFor(test.cp, hostId, image.id, 0))).rejects.toMatchObject({ code: 'not_found' });
      await test.sql(put, [vmId, drives(image.id)]);
      expect((await contentOf(readImageFor(test.cp, hostId, image.id, 0))).equals(bytes)).toBe(true);
      await expect(deleteImage(test.cp, test.admin, image.id)).rejects.toMatchObject({ code: 'in_use' });
      await test.sql('UPDATE vms SET deleted_at = now() WHERE id = $1', [vmId]);
      await deleteImage(test.cp, test.admin, image.id);
    });
  });

  it('is made good by the reconciler when it was cut off, and so are uploads that died', async () => {
    const { bytes, sha256 } = aFile();
    const image = await announce(sha256);
    await upload(image.id, bytes);
    await test.sql(`UPDATE images SET state = 'deleted', deleted_at = now() WHERE id = $1`, [image.id]);
    const incoming = join(test.dataDir, 'images', 'incoming');
    await writeFile(join(incoming, 'dead.part'), 'x');
    await writeFile(join(incoming, 'alive.part'), 'x');
    await utimes(join(incoming, 'dead.part'), 1, 1);
    const partsOf = async (changes: { untouched: boolean }) => {
      const { id } = await announce(sha256);
      const content = Readable.from([Buffer.from('x')]);
      await test.cp.images.parts.put(id, 1, content, null);
      if (changes.untouched) await utimes(join(test.dataDir, 'images', 'parts', id), 1, 1);
      return id;
    };
    const [untouched, alive] = [await partsOf({ untouched: true }), await partsOf({ untouched: false })];
    expect(await reconcileImageFiles(test.cp)).toBe(3);
    expect(await filesOf(image.id)).toEqual([]);
    expect(await readdir(incoming)).toEqual(['alive.part']);
    expect([await test.cp.images.parts.list(untouched), await test.cp.images.parts.list(alive)]).toEqual([
      [],
      [{ number: 1, sizeBytes: 1 }],
    ]);
  });
});
