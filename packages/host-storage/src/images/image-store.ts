import type { CopyOut, PoolFacts, SetAsideData, Turn, VolumeSource } from '../storage-pool.js';

/**
 * Images that have snapshots of their own, as the storage itself keeps them. Each verb does no harm when it is repeated, also by
 * another host at the same time: an image is named once and never again, so what comes late finds nothing that it could spoil.
 */
export interface ImageStore {
  /** Empty. */
  create(image: string, sizeBytes: number): Promise<void>;
  /** An image that shares with the snapshot what it has not changed, at least as large. */
  clone(from: SnapshotName & { readonly sizeBytes: number }, image: string, sizeBytes: number): Promise<void>;
  /** Makes a clone whole in itself. Goes on where it was cut off. */
  flatten(image: string, watch: StoreWatch): Promise<void>;
  /** Writes what is in a qcow2 file to the image, which is as large and was never written, or with the same. */
  fill(image: string, path: string): Promise<void>;
  /** All that is seen through an image that nobody writes to, as a qcow2 file that rests on nothing. No file is left when it throws. */
  copyOut(image: string, target: CopyOut, watch: StoreWatch): Promise<void>;
  /** Never smaller. */
  grow(image: string, sizeBytes: number): Promise<void>;
  /** Of an image that a VM's process has open: what that cannot do itself before it takes the new size. Never smaller. */
  growUnder(image: string, sizeBytes: number): Promise<void>;
  sizeBytes(image: string): Promise<number>;
  /** What it takes, with its snapshots. 0: it is not there. */
  allocatedBytes(image: string): Promise<number>;

  snapshot(name: SnapshotName): Promise<void>;
  /** How the snapshot is made while a VM's process has the image open. */
  turnOf(volumeId: string, name: SnapshotName): Turn;
  /** No error if there is none. Clones of it keep what they need. */
  removeSnapshot(name: SnapshotName): Promise<void>;
  snapshotNames(image: string): Promise<string[]>;
  hasClones(name: SnapshotName): Promise<boolean>;
  /** With its snapshots. False: not now, as clones rest on it, or somebody has it open. No error if it is not there. */
  remove(image: string): Promise<boolean>;

  /** Does anybody have it open for writing? One that has died counts for as long as the storage does not know. */
  isOpen(image: string): Promise<boolean>;
  /** Nobody who has it open now can write to it any more when this resolves. */
  cutOff(image: string): Promise<void>;
  /** It can be opened on this host when this resolves. */
  makeReady(image: string): Promise<void>;
  sourceOf(image: string): VolumeSource;

  observeRoom(): Promise<StoreRoom>;
  /** All images, whoever made them. */
  names(): Promise<string[]>;
  /** Out of the way, where a person can look at it; null: it is younger, or gone. */
  setAside(image: string, olderThanMs: number): Promise<{ readonly bytes: number } | null>;
  /** All that lies there. */
  setAsideImages(): Promise<readonly SetAsideData[]>;
  /** For good, with its snapshots. No error if it is not there. False: not now, as clones rest on it. */
  removeSetAside(image: string): Promise<boolean>;
}

export interface SnapshotName {
  readonly image: string;
  readonly snapshot: string;
}

export interface StoreWatch {
  readonly signal?: AbortSignal;
  /** Of the work done, 0 to 1. */
  readonly onProgress?: (fraction: number) => void;
}

export type StoreRoom = Pick<PoolFacts, 'totalBytes' | 'freeBytes' | 'allocatedBytes'>;
