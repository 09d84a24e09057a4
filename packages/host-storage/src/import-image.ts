import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { DomainError } from '@kvorum/schema';
import { newRecord } from './ensure-volume.js';
import { readLayerHeader } from './layer-header.js';
import { assertRoom, factsOf } from './observe-pool.js';
import { assertId, type DirectoryPool, invalidField, put } from './open-volume.js';
import { forgetDependents } from './shorten-volume.js';
import type { ImportImage, VolumeFacts } from './storage-pool.js';
import { purge } from './trash-volume.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

const SHA256 = /^[0-9a-f]{64}$/;
/** Another host may be copying the same image; when it is done there is nothing left to do. */
const LOCK_WAIT_S = 600;

/**
 * Port: StoragePool.importImage. Without a fence: the id stands for one content for ever, so a late request does no harm. The file
 * comes first, under its name only when it is whole and has the digest; then the record.
 */
export async function importImage(pool: DirectoryPool, request: ImportImage): Promise<VolumeFacts> {
  assertImageRequest(request);
  const { imageId } = request;
  return pool.locks.holding(
    [imageId],
    async ({ descriptors }) => {
      const found = await pool.records.find(imageId);
      const kept = found === null ? null : await revive(pool, sameImage(found, request));
      return factsOf(pool, kept ?? (await takeIn(pool, request, descriptors)));
    },
    LOCK_WAIT_S,
  );
}

/** Null: of a purged image the file is gone, or may be. */
async function revive(pool: DirectoryPool, found: VolumeRecord): Promise<VolumeRecord | null> {
  if (found.state === 'ready') return found;
  if (found.state === 'trashed') return put(pool, { ...found, state: 'ready', trashedAtMs: null });
  const record = await forgetDependents(pool, found);
  // Clones rest on its layer, which is there for them.
  if (record.dependents.length > 0) {
    return put(pool, { ...record, state: 'ready', trashedAtMs: null, snapshots: [snapshotOf(record, pool.now())] });
  }
  await purge(pool, record);
  return null;
}

async function takeIn(
  pool: DirectoryPool,
  { imageId, ownerId, sha256, path }: ImportImage,
  locks: readonly number[],
): Promise<VolumeRecord> {
  if (path === null) throw new DomainError('conflict_state', `image ${imageId} is not on this host: ensure it first`);
  await assertRoom(pool, (await stat(path)).size);
  const layerId = layerIdOf(imageId, imageId);
  await pool.layers.takeIn(layerId, path, locks, (copyPath) => assertImage(copyPath, sha256));
  const { sizeBytes } = await pool.layers.assertRestsOn(layerId, [null]);
  const record: VolumeRecord = {
    ...newRecord({ volumeId: imageId, ownerId, sizeBytes }, undefined),
    image: { sha256 },
    topId: null,
  };
  return put(pool, { ...record, snapshots: [snapshotOf(record, pool.now())] });
}

const snapshotOf = ({ id, sizeBytes }: VolumeRecord, createdAtMs: number): VolumeRecord['snapshots'][number] => ({
  id,
  layerId: layerIdOf(id, id),
  sizeBytes,
  createdAtMs,
});

export async function assertImage(path: string, sha256: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  if (hash.digest('hex') !== sha256) throw new DomainError('host_fault', 'the image on this host has another digest');
  const { backingName, hasExternalData } = await readLayerHeader(path);
  if (backingName !== null || hasExternalData)
    throw new DomainError('image_invalid', 'the image is not whole in itself');
}

function sameImage(found: VolumeRecord, { sha256 }: ImportImage): VolumeRecord {
  if (found.image?.sha256 === sha256) return found;
  throw new DomainError('already_exists', `volume ${found.id} is there already, and not this image`);
}

export function assertImageRequest({ imageId, ownerId, sha256 }: ImportImage): void {
  assertId('imageId', imageId);
  assertId('ownerId', ownerId);
  if (!SHA256.test(sha256)) throw invalidField('sha256', 'must be 64 lower-case hexadecimal digits');
}
