import type { VmHardware } from '@kvorum/schema';
import type { TapOfCard } from './network/open-tap.js';

/** Where the files lie that devices of a VM need, beside its root disk. */
interface Attachments {
  /** By the id of a data disk. */
  readonly disks: Readonly<Record<string, string>>;
  /** By the id of a data disk: qcow2 files that lie under its own, the nearest first. Left out: none. */
  readonly bases?: Readonly<Record<string, readonly string[]>>;
  /** By the id of a data disk that lies in no file, and is then not among `disks`. Left out: none does. */
  readonly images?: Readonly<Record<string, DiskImage>>;
  /** By the SHA-256 of an image in a drive. */
  readonly media: Readonly<Record<string, string>>;
  /** By the id of a network card on a network; left out: no card is. */
  readonly taps?: Readonly<Record<string, TapOfCard>>;
}

/** The root disk, where disks are named by their ids. */
export const ROOT_DISK_ID = 'root';

/** What a disk is that lies in no file: `rootImage` or one of `images`. */
export type DiskImage = RbdImage | BlockDevice;

/** A block device of the host, as QEMU's driver `host_device` opens it. Nothing else may write to it. */
export interface BlockDevice {
  readonly devicePath: string;
}

/** An image in Ceph, as QEMU's driver `rbd` opens it. */
export interface RbdImage {
  readonly pool: string;
  /** Null: the pool's own. */
  readonly namespace: string | null;
  readonly image: string;
  /** A file that the users of VMs can read: where Ceph's monitors are. */
  readonly confPath: string;
  /** Without `client.`. */
  readonly user: string;
  /** Private file with that user's key, and nothing else. */
  readonly keyPath: string;
}

/** What of a machine can be changed while it runs. */
export interface MachineSpec {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly hardware: VmHardware;
  /** Of the root disk. */
  readonly diskPath: string;
  /**
   * qcow2 files that lie under the root disk, the nearest first. Left out: it rests on one image, as its header says.
   */
  readonly rootBases?: readonly string[];
  /** Where the root disk lies in no file: nothing is at `diskPath` then, but its folder is there. */
  readonly rootImage?: DiskImage;
  /** Left out: no device needs any. */
  readonly attachments?: Attachments;
}

/** Of a data disk, or ROOT_DISK_ID for the root disk, if the machine was started with `rootBases` or `rootImage`. */
export type DiskSwitch = OverlaySwitch | ImageSwitch;

/** Layers of a disk, each resting on the next: `abovePath` may be what the guest writes to, the others are not. Paths are absolute. */
export interface LayerMerge {
  /** As in DiskSwitch. */
  readonly diskId: string;
  readonly abovePath: string;
  readonly childPath: string;
  readonly basePath: string;
  /** What the header of `abovePath` is to name afterwards. */
  readonly baseName: string;
  readonly bytesPerSecond: number;
}

export type MergeProgress =
  | { readonly state: 'running'; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly state: 'merged' }
  /** Nothing has changed for the guest; asked again it begins anew. */
  | { readonly state: 'failed'; readonly detail: string };

/** Paths are absolute. The overlay has the size of the disk and rests on `basePath`. */
export interface OverlaySwitch {
  readonly diskId: string;
  /** What it writes to now. */
  readonly basePath: string;
  readonly path: string;
}

/** The disk's image, which lies in Ceph, keeps what is on it by that name. */
export interface ImageSwitch {
  readonly diskId: string;
  readonly snapshotName: string;
}
