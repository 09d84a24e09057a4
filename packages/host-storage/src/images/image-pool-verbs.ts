import { asHostFaults } from '../open-directory-pool.js';
import { assertId } from '../open-volume.js';
import type { StoragePool } from '../storage-pool.js';
import { claimVolume, releaseVolume } from './claim-image-volume.js';
import { copyOut } from './copy-out-image.js';
import { growVolume } from './grow-image-volume.js';
import { cloneVolume, ensureVolume, importImage } from './make-image-volume.js';
import { factsOf, getVolume, type ImagePool } from './open-image-volume.js';
import { listSetAside, removeSetAside } from './set-aside-images.js';
import { removeSnapshot, revertVolume, shortenVolume, snapshotVolumes } from './snapshot-images.js';
import { observePool, sweepPool } from './sweep-images.js';
import { purgeVolume, removeVolume, restoreVolume } from './trash-image-volume.js';

/** The verbs of pools whose storage keeps images with snapshots of their own. */
export const imagePoolVerbs = (pool: ImagePool): StoragePool => ({
  id: pool.id,
  driver: pool.driver,
  capabilities: pool.capabilities,
  observe: () => asHostFaults(() => observePool(pool)),
  observeVolume: (volumeId) =>
    asHostFaults(async () => {
      assertId('volumeId', volumeId);
      return factsOf(pool, await getVolume(pool, volumeId));
    }),
  ensureVolume: (request) => asHostFaults(() => ensureVolume(pool, request)),
  importImage: (request) => asHostFaults(() => importImage(pool, request)),
  growVolume: (request) => asHostFaults(() => growVolume(pool, request)),
  cloneVolume: (request, watch) => asHostFaults(() => cloneVolume(pool, request, watch)),
  copyOut: (request, watch) => asHostFaults(() => copyOut(pool, request, watch)),
  snapshotVolumes: (request) => asHostFaults(() => snapshotVolumes(pool, request)),
  removeSnapshot: (volumeId, snapshotId, fence) =>
    asHostFaults(() => removeSnapshot(pool, volumeId, snapshotId, fence)),
  revertVolume: (request) => asHostFaults(() => revertVolume(pool, request)),
  shortenVolume: (volumeId) => asHostFaults(() => shortenVolume(pool, volumeId)),
  // The storage itself keeps apart what snapshots keep apart: there are no layers for a VM's process to merge.
  beginMerge: async () => null,
  endMerge: async () => undefined,
  claimVolume: (volumeId, epoch) => asHostFaults(() => claimVolume(pool, volumeId, epoch)),
  releaseVolume: (volumeId, epoch) => asHostFaults(() => releaseVolume(pool, volumeId, epoch)),
  removeVolume: (volumeId, fence) => asHostFaults(() => removeVolume(pool, volumeId, fence)),
  restoreVolume: (volumeId, fence) => asHostFaults(() => restoreVolume(pool, volumeId, fence)),
  purgeVolume: (volumeId, fence) => asHostFaults(() => purgeVolume(pool, volumeId, fence)),
  sweep: (request) => asHostFaults(() => sweepPool(pool, request)),
  listSetAside: () => asHostFaults(() => listSetAside(pool)),
  removeSetAside: (name) => asHostFaults(() => removeSetAside(pool, name)),
});
