import { DomainError } from '@kvorum/schema';
import { assertRoom, factsOf } from './observe-pool.js';
import { admit, assertId, assertSize, type DirectoryPool, put } from './open-volume.js';
import type { EnsureVolume, VolumeFacts } from './storage-pool.js';
import { type Fence, NO_FENCE } from './volume-fence.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

/** Port: StoragePool.ensureVolume. The record comes last, so that a volume that is on record has its content. */
export async function ensureVolume(pool: DirectoryPool, request: EnsureVolume): Promise<VolumeFacts> {
  const { volumeId, ownerId, sizeBytes, fence } = request;
  assertId('volumeId', volumeId);
  assertId('ownerId', ownerId);
  assertSize(sizeBytes);
  return pool.locks.holding([volumeId], async ({ descriptors }) => {
    const found = await findAdmitted(pool, volumeId, fence);
    if (found !== null) return factsOf(pool, sameVolume(found, request));
    await assertRoom(pool);
    await pool.layers.create(layerIdOf(volumeId, volumeId), null, sizeBytes, descriptors);
    return factsOf(pool, await put(pool, newRecord(request, fence)));
  });
}

/** For verbs that make a volume: its record, or null if there is none and the request may make one. */
export async function findAdmitted(
  pool: DirectoryPool,
  volumeId: string,
  fence: Fence | undefined,
): Promise<VolumeRecord | null> {
  const found = await pool.records.find(volumeId);
  if (found !== null) return admit(pool, found, fence);
  if (fence !== undefined) await pool.tombstones.assertMayMake(volumeId, fence);
  return null;
}

function sameVolume(found: VolumeRecord, wanted: EnsureVolume): VolumeRecord {
  const isSame = found.ownerId === wanted.ownerId && found.sizeBytes === wanted.sizeBytes && found.origin === null;
  if (isSame && found.state === 'ready') return found;
  throw new DomainError(
    'already_exists',
    `volume ${found.id} is there already: ${found.state}, of ${found.sizeBytes} bytes, owned by ${found.ownerId}`,
  );
}

/** With one layer, which is named by the volume's own id. */
export const newRecord = ({ volumeId, ownerId, sizeBytes }: EnsureVolume, fence: Fence | undefined): VolumeRecord => ({
  formatVersion: 2,
  id: volumeId,
  ownerId,
  sizeBytes,
  fence: fence ?? NO_FENCE,
  image: null,
  state: 'ready',
  trashedAtMs: null,
  layers: [{ id: layerIdOf(volumeId, volumeId), parentId: null }],
  topId: layerIdOf(volumeId, volumeId),
  snapshots: [],
  origin: null,
  dependents: [],
  holder: null,
  pending: null,
});
