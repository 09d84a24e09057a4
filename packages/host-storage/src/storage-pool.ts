import type { PoolCapabilities, PoolDriverName } from './pool-drivers.js';
import type { Fence } from './volume-fence.js';

/**
 * One storage pool as one host sees it. Every verb is safe to repeat, also after its process was killed anywhere: what had begun is
 * then finished first. Ids are UUIDs given by the caller, so that a repeated request is known for one.
 *
 * A verb that is given a fence is refused with `stale_generation` once a higher one was seen for its volume, by whatever host; what is
 * left of a purged volume refuses all that are not higher than its last. Without a fence nothing is refused: whoever calls is alone.
 *
 * Every verb throws DomainError: `invalid_request` (names the field), `not_found`, `already_exists` (another volume has the id),
 * `conflict_state` (in use, or in a state that does not allow it), `unavailable` (another verb takes its time: ask again), `no_capacity` (the pool is full), `host_fault`,
 * `deadline_exceeded`, `cancelled`. Nothing is changed then, or what was begun is finished by the next verb.
 */
export interface StoragePool {
  readonly id: string;
  readonly driver: PoolDriverName;
  readonly capabilities: PoolCapabilities;

  /** Room and what it is used for. Reads each record: not for a loop that runs more than every few seconds. */
  observe(): Promise<PoolFacts>;
  observeVolume(volumeId: string): Promise<VolumeFacts>;

  /** An empty volume of exactly `sizeBytes`, a whole number of MiB. */
  ensureVolume(request: EnsureVolume): Promise<VolumeFacts>;
  /**
   * An image as a volume that is never written: a copy of the file, checked against its digest. Once: with another file under the
   * same id it is left. A deleted one comes back. It is cloned from the snapshot that has its own id.
   */
  importImage(request: ImportImage): Promise<VolumeFacts>;
  /** Never smaller. Of a volume that a VM's process has open `growLive` makes the file larger. */
  growVolume(request: GrowVolume): Promise<VolumeFacts>;
  /** A volume with the content of a snapshot. A linked one shares its layers; a full one is whole in itself. */
  cloneVolume(request: CloneVolume, watch?: CloneWatch): Promise<VolumeFacts>;

  /**
   * All that is seen through a volume that nobody has open, as one qcow2 file beside the pool that rests on nothing. Other volumes may be used and
   * changed meanwhile, also those that it shares layers with. There is no file when it throws.
   */
  copyOut(request: CopyOut, watch?: CloneWatch): Promise<void>;

  /** Of all volumes at one instant: either nobody writes to any, or `switchLive` has the VM's process turn at once. */
  snapshotVolumes(request: SnapshotVolumes): Promise<readonly VolumeFacts[]>;
  /** No error if there is none. Layers that nothing needs go, or are merged: at once, or by the VM's process that has the volume open (`beginMerge`). */
  removeSnapshot(volumeId: string, snapshotId: string, fence?: Fence): Promise<VolumeFacts>;
  /** The content and size of a snapshot again; what was written since is lost. `revertId` names the new layer. */
  revertVolume(request: RevertVolume): Promise<VolumeFacts>;
  /** Merges what can be, so that few files are read through. Called by the other verbs; by itself after a VM has stopped. */
  shortenVolume(volumeId: string): Promise<VolumeFacts>;

  /**
   * Layers of a volume that a VM of this host has open, of which the VM's process is to make one; null: none need be. Both stay whatever
   * becomes of it: after a crash it is begun again, or finished like any other merge. The file that is written by the guest is never one.
   */
  beginMerge(volumeId: string): Promise<LiveMerge | null>;
  /**
   * What has come of it, by the files: merged, or as it was. First `stopLive` makes sure that the process is at it no more; it throws
   * when the process has ended, and what has begun is then finished when the volume is released. No error if nothing has begun.
   */
  endMerge(volumeId: string, stopLive: () => Promise<void>): Promise<void>;

  /** The right of this host to use the volume. A higher epoch takes it from another host, which must be fenced before. */
  claimVolume(volumeId: string, epoch: number): Promise<ClaimedVolume>;
  /** No error if it is not held; another host's claim is left. */
  releaseVolume(volumeId: string, epoch: number): Promise<void>;

  /** Into the trash: kept with its snapshots until it is purged. No error if it is there already or gone. */
  removeVolume(volumeId: string, fence?: Fence): Promise<void>;
  restoreVolume(volumeId: string, fence?: Fence): Promise<VolumeFacts>;
  /** Out of the trash for good. No error if it is gone. Layers that clones rest on stay for as long as those need them. */
  purgeVolume(volumeId: string, fence?: Fence): Promise<void>;
  /** Purges what was in the trash for long enough, and moves files that no volume names into `quarantine/`. */
  sweep(request: SweepPool): Promise<SweepReport>;
  /** All that sweeps have moved aside and nobody has removed. What has no plain name is left out. */
  listSetAside(): Promise<readonly SetAsideData[]>;
  /** For good. No error if it is not there; `in_use` while other data rests on it. */
  removeSetAside(name: string): Promise<void>;
}

export interface EnsureVolume {
  readonly volumeId: string;
  /** Id of the project whose it is. */
  readonly ownerId: string;
  readonly sizeBytes: number;
  readonly fence?: Fence;
}
export interface ImportImage {
  /** Of the image; the volume's as well. */
  readonly imageId: string;
  /** Whose the volume is: the site. */
  readonly ownerId: string;
  /** Of the file, in lower-case hexadecimal digits. */
  readonly sha256: string;
  /** A whole qcow2 file that rests on nothing; null: not to be had, so that only what is on the pool already will do. */
  readonly path: string | null;
}
export interface GrowVolume {
  readonly volumeId: string;
  readonly sizeBytes: number;
  /** Has the VM's process, which has the volume open, make it so large (QMP block_resize); once more does no harm. */
  readonly growLive?: () => Promise<void>;
  readonly fence?: Fence;
}
export interface CloneVolume {
  readonly volumeId: string;
  readonly ownerId: string;
  readonly source: { readonly volumeId: string; readonly snapshotId: string };
  readonly isLinked: boolean;
  /** Of a linked clone that is larger than what it comes from; what is beyond reads as zeros. */
  readonly sizeBytes?: number;
  readonly fence?: Fence;
}
export interface CopyOut {
  readonly volumeId: string;
  /** Absolute; what is there is written over. */
  readonly path: string;
  /** That the file may take; `no_capacity` if that is too little. */
  readonly bytesMax: number;
}
export interface CloneWatch {
  readonly signal?: AbortSignal;
  /** Of the bytes, 0 to 1. */
  readonly onProgress?: (fraction: number) => void;
}
export interface SnapshotVolumes {
  readonly volumes: readonly { readonly volumeId: string; readonly snapshotId: string; readonly fence?: Fence }[];
  /** Has the VM's process do all of the turns at one instant (QMP `transaction`); leaves overlays that it writes to already. */
  readonly switchLive?: (turns: readonly Turn[]) => Promise<void>;
}
/** What a VM's process does for a snapshot of one of its volumes. */
export type Turn = Overlay | ImageSnapshot | StillSnapshot;
/** It writes to another file from then on. */
export interface Overlay {
  readonly kind: 'overlay';
  readonly volumeId: string;
  /** What is written now, and will be read through `path`. */
  readonly basePath: string;
  readonly path: string;
  readonly layerId: string;
}
/** It has the storage keep what is on the image now, by that name, and goes on with the same image. */
export interface ImageSnapshot {
  readonly kind: 'image';
  readonly volumeId: string;
  readonly snapshotName: string;
}
/** It writes nothing while `take` makes the snapshot; what the guest was told is written lies on the storage then. */
export interface StillSnapshot {
  readonly kind: 'still';
  readonly volumeId: string;
  /** Once more does no harm. */
  readonly take: () => Promise<void>;
}
export interface LiveMerge {
  readonly volumeId: string;
  /** What it has is written into `basePath`; then `abovePath` rests on that. */
  readonly childPath: string;
  readonly basePath: string;
  readonly abovePath: string;
  /** What `abovePath` is to name as what it rests on. */
  readonly baseName: string;
}
export interface RevertVolume {
  readonly volumeId: string;
  readonly snapshotId: string;
  readonly revertId: string;
  readonly fence?: Fence;
}
export interface SweepPool {
  /** 0 empties the trash. */
  readonly trashKeepMs: number;
  /** A file without a volume may be one that is being made; younger ones are left alone. */
  readonly orphanAgeMs: number;
}

export interface PoolFacts {
  /** Of the file system. */
  readonly totalBytes: number;
  /** Left for others than root (f_bavail, statvfs(3)). */
  readonly freeBytes: number;
  /** Sum of the sizes of all volumes, also those in the trash. */
  readonly provisionedBytes: number;
  /** What they take. */
  readonly allocatedBytes: number;
  readonly trashedBytes: number;
  readonly volumeCount: number;
  /** Nothing new is made here until there is room again. */
  readonly isAboveHighWater: boolean;
}
export interface VolumeFacts {
  readonly volumeId: string;
  readonly ownerId: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  readonly state: 'copying' | 'ready' | 'trashed';
  readonly trashedAtMs: number | null;
  /** Files that are opened to read it. 0 while it is copied. */
  readonly chainLength: number;
  readonly snapshots: readonly { readonly id: string; readonly sizeBytes: number; readonly createdAtMs: number }[];
  readonly holder: { readonly hostId: string; readonly epoch: number } | null;
}
export interface ClaimedVolume {
  readonly source: VolumeSource;
  readonly sizeBytes: number;
}
/** What a VM's process opens, as the records say: this and nothing else. */
export type VolumeSource = VolumeFiles | VolumeImage | VolumeDevice;
export interface VolumeFiles {
  readonly kind: 'files';
  /** qcow2 file that a VM writes to. */
  readonly path: string;
  /** qcow2 files that lie under it, the nearest first. */
  readonly basePaths: readonly string[];
}
/** An image in Ceph. */
export interface VolumeImage {
  readonly kind: 'rbd';
  readonly pool: string;
  /** Null: the pool's own. */
  readonly namespace: string | null;
  readonly image: string;
  readonly confPath: string;
  /** Without `client.`. */
  readonly user: string;
  /** Private file with that user's key, and nothing else. */
  readonly keyPath: string;
}
/** A block device of this host. */
export interface VolumeDevice {
  readonly kind: 'device';
  readonly path: string;
}
/** What belongs to nobody, out of the way. */
export interface SetAsideData {
  /** As it was named when it was in its place: `<volume>.<id>...` of what a pool has made. */
  readonly name: string;
  /** What it takes; in Ceph what it can hold at most. */
  readonly bytes: number;
}
export interface SweepReport {
  readonly purgedVolumeIds: readonly string[];
  readonly quarantined: readonly { readonly name: string; readonly bytes: number }[];
  /** What a person has to look at: records that cannot be read, layers that are gone. */
  readonly faults: readonly string[];
}
