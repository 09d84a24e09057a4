import type { Accelerator, VmHardware } from '@kvorum/schema';
import type { LaunchSpec } from './launch-spec.js';

/** A running VM that is to become a template. */
export interface FreezeSpec {
  readonly templateId: string;
  /** Of the template alone, on a file system with room for the VM's memory and what it has written to its disk. */
  readonly folder: string;
  /** Of the process that takes the memory over, and goes when it has. At most 60 bytes long. */
  readonly runDir: string;
  /** The VM as it is now. */
  readonly golden: LaunchSpec;
  /** Whether the VM goes on afterwards; otherwise it stands still, and its owner ends it. */
  readonly goesOn: boolean;
}

/** What a template is: memory, state of the devices and disk of one instant, which nothing changes any more. */
export interface TemplateFacts {
  readonly templateId: string;
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly accelerator: Accelerator;
  readonly machineType: string;
  /** As its forks have it, but for network cards, which a template has none of, and what limits and names its root disk. */
  readonly hardware: VmHardware;
  /** Whether its forks have a seed disk, each its own. */
  readonly hasSeedDisk: boolean;
  /** Size of the root disk as a guest sees it. */
  readonly rootDiskBytes: number;
  /** On which a fork's disk rests. */
  readonly diskPath: string;
  /** What that rests on in turn, the nearest first. */
  readonly basePaths: readonly string[];
  /** What it takes of the host's disk. */
  readonly occupiedBytes: number;
}
