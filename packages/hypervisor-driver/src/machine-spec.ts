import type { VmHardware } from '@kvorum/schema';
import type { TapOfCard } from './network/open-tap.js';

/** Where the files lie that devices of a VM need, beside its root disk. */
interface Attachments {
  /** By the id of a data disk. */
  readonly disks: Readonly<Record<string, string>>;
  /** By the id of a data disk: qcow2 files that lie under its own, the nearest first. Left out: none. */
  readonly bases?: Readonly<Record<string, readonly string[]>>;
  /** By the SHA-256 of an image in a drive. */
  readonly media: Readonly<Record<string, string>>;
  /** By the id of a network card on a network; left out: no card is. */
  readonly taps?: Readonly<Record<string, TapOfCard>>;
}

/** The root disk, where disks are named by their ids. */
export const ROOT_DISK_ID = 'root';

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
  /** Left out: no device needs any. */
  readonly attachments?: Attachments;
}

/** Paths are absolute. The overlay has the size of the disk and rests on `basePath`. */
export interface DiskSwitch {
  /** Of a data disk, or ROOT_DISK_ID for the root disk, if the machine was started with `rootBases`. */
  readonly diskId: string;
  /** What it writes to now. */
  readonly basePath: string;
  readonly path: string;
}
