import type { VmHardware } from '@kvorum/schema';

/** Where the files lie that devices of a VM need, beside its root disk. */
interface Attachments {
  /** By the id of a data disk. */
  readonly disks: Readonly<Record<string, string>>;
  /** By the SHA-256 of an image in a drive. */
  readonly media: Readonly<Record<string, string>>;
}

/** What of a machine can be changed while it runs. */
export interface MachineSpec {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly hardware: VmHardware;
  /** Of the root disk. */
  readonly diskPath: string;
  /** Left out: no device needs any. */
  readonly attachments?: Attachments;
}
