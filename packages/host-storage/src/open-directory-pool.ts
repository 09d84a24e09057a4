import { DomainError } from '@kvorum/schema';
import { claimVolume, releaseVolume } from './claim-volume.js';
import { cloneVolume } from './clone-volume.js';
import { copyOut } from './copy-out.js';
import { ensureVolume } from './ensure-volume.js';
import { growVolume } from './grow-volume.js';
import { importImage } from './import-image.js';
import { findReflink, LayerFiles } from './layer-files.js';
import { beginMerge, endMerge } from './live-merge.js';
import { factsOf, observePool } from './observe-pool.js';
import { assertId, type DirectoryPool, invalidField } from './open-volume.js';
import { capabilitiesOf, type PoolDriverName } from './pool-drivers.js';
import { openFolders } from './pool-folder.js';
import { listSetAside, removeSetAside } from './set-aside.js';
import { shortenVolume } from './shorten-volume.js';
import { removeSnapshot, revertVolume, snapshotVolumes } from './snapshot-volumes.js';
import type { StoragePool } from './storage-pool.js';
import { sweepPool } from './sweep-pool.js';
import { purgeVolume, removeVolume, restoreVolume } from './trash-volume.js';
import { Tombstones } from './volume-fence.js';
import { VolumeLocks } from './volume-lock.js';
import { RecordFiles } from './volume-record.js';

export interface DirectoryPoolOptions {
  /** Null: whichever it is; a new one gets an id. */
  readonly poolId: string | null;
  readonly driver: PoolDriverName;
  /** This host, by which a shared volume knows its user. */
  readonly hostId: string;
  /** A folder that the host's operator gave for this; without links on the way. */
  readonly path: string;
  /** Take an empty folder as a new pool. Without it a folder that holds none is refused. */
  readonly mayInitialise: boolean;
  /** Above 0, at most 1. What lies above is for what VMs write into volumes that are there. */
  readonly highWaterRatio?: number;
  readonly qemuImgPath?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A tenth is left for what is written into thin volumes until somebody has made room. */
export const HIGH_WATER_RATIO_DEFAULT = 0.9;

/** Opens a pool of the driver `dir` or `shared-dir`: a folder of qcow2 files. */
export async function openDirectoryPool(options: DirectoryPoolOptions): Promise<StoragePool> {
  if (options.poolId !== null) assertId('poolId', options.poolId);
  assertId('hostId', options.hostId);
  const { highWaterRatio = HIGH_WATER_RATIO_DEFAULT, driver, poolId, hostId } = options;
  if (!(highWaterRatio > 0 && highWaterRatio <= 1)) throw invalidField('highWaterRatio', 'must be above 0, at most 1');
  return asHostFaults(async () => {
    const folders = await openFolders(options.path, { poolId, driver, hostId }, options.mayInitialise);
    return verbsOf({
      id: folders.poolId,
      hostId,
      driver,
      capabilities: capabilitiesOf(driver, await findReflink(folders.locks)),
      folder: folders.root,
      quarantineFolder: folders.quarantine,
      records: new RecordFiles(folders.volumes),
      layers: new LayerFiles(folders.layers, options.qemuImgPath ?? '/usr/bin/qemu-img'),
      locks: new VolumeLocks(folders.locks),
      tombstones: new Tombstones(folders.tombstones),
      highWaterRatio,
      now: options.now ?? Date.now,
    });
  });
}

const verbsOf = (pool: DirectoryPool): StoragePool => ({
  id: pool.id,
  driver: pool.driver,
  capabilities: pool.capabilities,
  observe: () => asHostFaults(() => observePool(pool)),
  // Without its lock: a copy that takes an hour does not hide what it is.
  observeVolume: (volumeId) =>
    asHostFaults(async () => {
      assertId('volumeId', volumeId);
      return factsOf(pool, await pool.records.get(volumeId));
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
  beginMerge: (volumeId) => asHostFaults(() => beginMerge(pool, volumeId)),
  endMerge: (volumeId, stopLive) => asHostFaults(() => endMerge(pool, volumeId, stopLive)),
  claimVolume: (volumeId, epoch) => asHostFaults(() => claimVolume(pool, volumeId, epoch)),
  releaseVolume: (volumeId, epoch) => asHostFaults(() => releaseVolume(pool, volumeId, epoch)),
  removeVolume: (volumeId, fence) => asHostFaults(() => removeVolume(pool, volumeId, fence)),
  restoreVolume: (volumeId, fence) => asHostFaults(() => restoreVolume(pool, volumeId, fence)),
  purgeVolume: (volumeId, fence) => asHostFaults(() => purgeVolume(pool, volumeId, fence)),
  sweep: (request) => asHostFaults(() => sweepPool(pool, request)),
  listSetAside: () => asHostFaults(() => listSetAside(pool)),
  removeSetAside: (name) => asHostFaults(() => removeSetAside(pool, name)),
});

/** Errors of files are the host's; one for want of room says so. Broken invariants stay what they are. */
export async function asHostFaults<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (thrown instanceof DomainError || typeof code !== 'string') throw thrown;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new DomainError('no_capacity', 'the storage pool is full: make room, or use another pool', {
        cause: thrown,
      });
    }
    throw new DomainError('host_fault', `the storage pool failed: ${(thrown as Error).message}`, { cause: thrown });
  }
}
