import { stat } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { assertCloneRequest } from '../clone-volume.js';
import { assertImage, assertImageRequest } from '../import-image.js';
import { readLayerHeader } from '../layer-header.js';
import { assertId, assertSize, invalidField } from '../open-volume.js';
import type { CloneVolume, CloneWatch, EnsureVolume, ImportImage, VolumeFacts } from '../storage-pool.js';
import { NO_FENCE } from '../volume-fence.js';
import { type ImageRecord, newImageName, type ReadRecord } from './image-record.js';
import {
  assertRoom,
  factsOf,
  findToMake,
  findVolume,
  type ImagePool,
  make,
  type OpenRecord,
  put,
  settled,
  untilFirst,
} from './open-image-volume.js';

/** More would make reading slow; each is one lookup for what is not in the image itself. */
const CLONE_DEPTH_MAX = 16;

/** Port: StoragePool.ensureVolume. The record comes first and names the image: whatever is cut off leaves nothing that nobody knows. */
export async function ensureVolume(pool: ImagePool, request: EnsureVolume): Promise<VolumeFacts> {
  const { volumeId, ownerId, sizeBytes, fence } = request;
  assertId('volumeId', volumeId);
  assertId('ownerId', ownerId);
  assertSize(sizeBytes);
  return untilFirst(async () => {
    const { found, over } = await findToMake(pool, volumeId, fence);
    if (found !== null) {
      const { record } = found;
      if (record.ownerId !== ownerId || record.sizeBytes !== sizeBytes || record.origin !== null || !isMade(record)) {
        throw isThere(record, `of ${record.sizeBytes} bytes, owned by ${record.ownerId}`);
      }
      return factsOf(pool, await whole(pool, found));
    }
    await assertRoom(pool);
    return factsOf(pool, await whole(pool, await make(pool, newRecord(request), over)));
  });
}

/** Port: StoragePool.cloneVolume. Of a full clone only the copying takes long: it is a linked one that becomes whole. */
export async function cloneVolume(pool: ImagePool, request: CloneVolume, watch: CloneWatch = {}): Promise<VolumeFacts> {
  assertCloneRequest(request);
  const { volumeId, ownerId, source, isLinked, fence } = request;
  return untilFirst(async () => {
    const { found, over } = await findToMake(pool, volumeId, fence);
    if (found !== null) {
      const { record } = found;
      const { origin } = record;
      const isSame = origin?.volumeId === source.volumeId && origin.isLinked === isLinked && record.ownerId === ownerId;
      const isSize = request.sizeBytes === undefined || request.sizeBytes === record.sizeBytes;
      if (!isSame || !isSize || !isMade(record)) throw isThere(record, 'and not this clone');
      return factsOf(pool, await whole(pool, found, watch));
    }
    const begun = await make(pool, await cloneRecord(pool, request), over);
    return factsOf(pool, await whole(pool, begun, watch));
  });
}

async function cloneRecord(pool: ImagePool, request: CloneVolume): Promise<ImageRecord> {
  const { source, isLinked } = request;
  const from = await findVolume(pool, source.volumeId);
  if (from === null || from.record.state === 'retired') {
    throw new DomainError('not_found', `the pool has no volume ${source.volumeId}`);
  }
  const { id, state, snapshots } = from.record;
  if (state !== 'ready') {
    throw new DomainError('conflict_state', `volume ${id} is ${state}; restore it or wait for it first`);
  }
  const snapshot = snapshots.find((one) => one.id === source.snapshotId);
  if (snapshot === undefined) throw new DomainError('not_found', `volume ${id} has no snapshot ${source.snapshotId}`);
  const sizeBytes = request.sizeBytes ?? snapshot.sizeBytes;
  if (sizeBytes < snapshot.sizeBytes) {
    throw invalidField('sizeBytes', `is below the ${snapshot.sizeBytes} of what it comes from`);
  }
  if (isLinked && snapshot.depth >= CLONE_DEPTH_MAX) {
    throw new DomainError(
      'conflict_state',
      `the snapshot is read through ${CLONE_DEPTH_MAX} images; make a full clone`,
    );
  }
  await assertRoom(
    pool,
    isLinked || pool.capabilities.hasReflink ? 0 : await pool.images.allocatedBytes(snapshot.image),
  );
  const { image, id: snapshotId } = snapshot;
  const origin = { volumeId: id, snapshotId, image, sizeBytes: snapshot.sizeBytes, isLinked };
  return { ...newRecord({ ...request, sizeBytes }), origin, depth: isLinked ? snapshot.depth + 1 : 1 };
}

/** Port: StoragePool.importImage. Without a fence: the id stands for one content for ever, so a late request does no harm. */
export async function importImage(pool: ImagePool, request: ImportImage): Promise<VolumeFacts> {
  assertImageRequest(request);
  const { imageId, sha256, path } = request;
  return untilFirst(async () => {
    const { found, over } = await findToMake(pool, imageId, undefined);
    if (found !== null && found.record.siteImage?.sha256 !== sha256) throw isThere(found.record, 'and not this image');
    if (found?.record.state === 'ready') return factsOf(pool, found);
    // Also of one that was purged while clones rest on it.
    if (found !== null && found.record.snapshots.length > 0)
      return factsOf(pool, await put(pool, found, { ...found.record, state: 'ready', endedAtMs: null }));
    if (path === null) throw new DomainError('conflict_state', `image ${imageId} is not on this host: ensure it first`);
    await assertRoom(pool, (await stat(path)).size);
    await assertImage(path, sha256);
    const { sizeBytes } = await readLayerHeader(path);
    const isBegun = found !== null && found.record.state !== 'retired';
    const begun = isBegun ? found : await make(pool, imageRecord(request, sizeBytes, over), over);
    return factsOf(pool, await takeIn(pool, begun, path));
  });
}

/** What is left of an earlier one stays on record, to be removed. */
const imageRecord = (
  { imageId, ownerId, sha256 }: ImportImage,
  sizeBytes: number,
  over: ReadRecord | null,
): ImageRecord => ({
  ...newRecord({ volumeId: imageId, ownerId, sizeBytes }),
  doomed: over?.record.doomed ?? [],
  siteImage: { sha256 },
});

/** Two hosts that do so at once write the same; what comes after the snapshot is in nothing that is read. */
async function takeIn(pool: ImagePool, begun: OpenRecord, path: string): Promise<OpenRecord> {
  const { record } = begun;
  await pool.images.create(record.top, record.sizeBytes);
  await pool.images.fill(record.top, path);
  await pool.images.snapshot({ image: record.top, snapshot: record.id });
  const { id, top: image, sizeBytes, depth } = record;
  const snapshots = [{ id, image, sizeBytes, createdAtMs: pool.now(), depth }];
  return put(pool, begun, { ...record, state: 'ready', isWhole: true, endedAtMs: null, snapshots });
}

/** Makes the image that the record names, or what is missing of it. */
async function whole(pool: ImagePool, open: OpenRecord, watch: CloneWatch = {}): Promise<OpenRecord> {
  const { record } = open;
  if (record.state === 'ready') return settled(pool, open);
  const { origin, top, sizeBytes } = record;
  if (origin === null) await pool.images.create(top, sizeBytes);
  else
    await pool.images.clone(
      { image: origin.image, snapshot: origin.snapshotId, sizeBytes: origin.sizeBytes },
      top,
      sizeBytes,
    );
  if (origin?.isLinked === false) {
    await pool.images.flatten(top, watch);
    watch.onProgress?.(1);
  }
  return put(pool, open, { ...record, state: 'ready', isWhole: true });
}

const isMade = ({ state, siteImage }: ImageRecord): boolean =>
  siteImage === null && (state === 'ready' || state === 'copying');

const isThere = ({ id, state }: ImageRecord, more: string): DomainError =>
  new DomainError('already_exists', `volume ${id} is there already: ${state}, ${more}`);

export const newRecord = ({ volumeId, ownerId, sizeBytes, fence }: EnsureVolume): ImageRecord => ({
  formatVersion: 1,
  id: volumeId,
  ownerId,
  sizeBytes,
  fence: fence ?? NO_FENCE,
  siteImage: null,
  state: 'copying',
  isWhole: false,
  endedAtMs: null,
  top: newImageName(volumeId, volumeId),
  depth: 1,
  snapshots: [],
  origin: null,
  holder: null,
  pending: null,
  doomed: [],
});
