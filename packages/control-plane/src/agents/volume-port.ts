import type { CallOptions } from './call-options.js';
import type { PublishWatch } from './publish-watch.js';

/** The part of AgentPort that is about storage pools of its host. Every method that has an intent is fenced by it. */
export interface VolumePort {
  /** With an image: a linked clone of it; the agent takes the image into the pool once, from its cache. */
  ensureVolume(intent: VolumeIntent, request: AgentNewVolume, options: CallOptions): Promise<AgentVolume>;
  /** `vmId`: the VM runs on the agent's host and has the volume open; null: none has. */
  growVolume(
    intent: VolumeIntent,
    request: { readonly poolId: string; readonly sizeBytes: number; readonly vmId: string | null },
    options: CallOptions,
  ): Promise<AgentVolume>;
  cloneVolume(
    intent: VolumeIntent,
    request: AgentClone,
    options: CallOptions & { onProgress?: (fraction: number) => void },
  ): Promise<AgentVolume>;
  /** Of all volumes at one instant. `freezeTimeoutMs` 0: the guest is not asked to freeze its file systems. */
  snapshotVolumes(
    volumes: readonly AgentVolumeToSnapshot[],
    request: { readonly vmId: string | null; readonly freezeTimeoutMs: number },
    options: CallOptions,
  ): Promise<{ readonly volumes: readonly AgentVolume[]; readonly wasFrozen: boolean }>;
  removeVolumeSnapshot(intent: VolumeIntent, snapshot: AgentSnapshotName, options: CallOptions): Promise<AgentVolume>;
  /** Of a volume that no VM has open. `revertId` is given once for each revert. */
  revertVolume(
    intent: VolumeIntent,
    snapshot: AgentSnapshotName & { readonly revertId: string },
    options: CallOptions,
  ): Promise<AgentVolume>;
  /** Into the trash of its pool; restored from it, or purged. */
  removeVolume(intent: VolumeIntent, poolId: string, options: CallOptions): Promise<void>;
  restoreVolume(intent: VolumeIntent, poolId: string, options: CallOptions): Promise<AgentVolume>;
  purgeVolume(intent: VolumeIntent, poolId: string, options: CallOptions): Promise<void>;
  /** Null: the pool has no such volume. */
  observeVolume(poolId: string, volumeId: string, options: CallOptions): Promise<AgentVolume | null>;
  /**
   * A volume that nobody has open, as one qcow2 file: the content, once it was made. Throws conflict_state, no_capacity, not_found. What it
   * sends is hostile.
   */
  publishVolume(
    volume: { readonly poolId: string; readonly volumeId: string },
    options: CallOptions & PublishWatch,
  ): AsyncIterable<Uint8Array>;
  sweepPool(
    request: { readonly poolId: string; readonly trashKeepMs: number; readonly orphanAgeMs: number },
    options: CallOptions,
  ): Promise<AgentSweep>;
  /** What a sweep has told as set aside, for good. No error if it is not there. */
  removeSetAside(poolId: string, name: string, options: CallOptions): Promise<void>;
}

/** See the VolumeIntent message of storage.proto. */
export interface VolumeIntent {
  readonly volumeId: string;
  readonly generation: number;
  readonly fencingToken: number;
  readonly operationId: string;
}

export interface AgentNewVolume {
  readonly poolId: string;
  /** Id of the project whose it is. */
  readonly ownerId: string;
  readonly sizeBytes: number;
  /** Null: an empty volume. */
  readonly image: { readonly imageId: string; readonly sha256: string } | null;
}

export interface AgentClone {
  readonly poolId: string;
  readonly ownerId: string;
  readonly source: { readonly volumeId: string; readonly snapshotId: string };
  readonly isLinked: boolean;
}

export interface AgentSnapshotName {
  readonly poolId: string;
  readonly snapshotId: string;
}

export interface AgentVolumeToSnapshot extends AgentSnapshotName {
  readonly intent: VolumeIntent;
}

export interface AgentVolume {
  readonly volumeId: string;
  readonly ownerId: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  readonly state: 'copying' | 'ready' | 'trashed';
  /** Files that are read through; 0: it is being copied. */
  readonly chainLength: number;
  readonly snapshots: readonly { readonly id: string; readonly sizeBytes: number; readonly createdAtMs: number }[];
  /** The host that uses it. */
  readonly holder: { readonly hostId: string; readonly epoch: number } | null;
}

/** One of a VM's disks lies on a pool: its root volume or a data disk. */
export interface AgentPooledVolume {
  readonly volumeId: string;
  readonly poolId: string;
  readonly claimEpoch: number;
}

export interface AgentSweep {
  readonly purgedVolumeIds: readonly string[];
  readonly quarantined: readonly { readonly name: string; readonly sizeBytes: number }[];
  /** What a person has to look at. */
  readonly faults: readonly string[];
  /** All that lies aside on the pool, also from earlier. */
  readonly setAside: readonly { readonly name: string; readonly sizeBytes: number }[];
}
