export { replaceFile, syncPath, TEMPORARY_SUFFIX } from './durable-file.js';
export type { CephPlace } from './images/ceph-tools.js';
export { openRbdPool, type RbdPoolOptions } from './images/open-rbd-pool.js';
export { isGroupName, LVM_NAME } from './lvm/lvm-names.js';
export type { LvmPlace } from './lvm/lvm-tools.js';
export { type LvmThinPoolOptions, openLvmThinPool } from './lvm/open-lvm-thin-pool.js';
export { type DirectoryPoolOptions, openDirectoryPool } from './open-directory-pool.js';
export { POOL_DRIVERS, type PoolCapabilities, type PoolDriverName } from './pool-drivers.js';
export type {
  ClaimedVolume,
  CloneVolume,
  CloneWatch,
  CopyOut,
  EnsureVolume,
  GrowVolume,
  ImageSnapshot,
  ImportImage,
  LiveMerge,
  Overlay,
  PoolFacts,
  RevertVolume,
  SetAsideData,
  SnapshotVolumes,
  StillSnapshot,
  StoragePool,
  SweepPool,
  SweepReport,
  Turn,
  VolumeDevice,
  VolumeFacts,
  VolumeFiles,
  VolumeImage,
  VolumeSource,
} from './storage-pool.js';
export type { Fence } from './volume-fence.js';
