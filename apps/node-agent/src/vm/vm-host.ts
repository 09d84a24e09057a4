import type { HypervisorDriver } from '@kvorum/hypervisor-driver';
import type { Accelerator } from '@kvorum/schema';
import type { HostCpus } from '../cpu/host-cpus.js';
import type { Log } from '../log.js';
import type { PortOnHost } from '../network/network-keeper.js';
import type { StateFolders } from '../state/state-folders.js';
import type { PoolKeeper } from '../storage/pool-keeper.js';
import type { TemplateStore } from '../template/template-store.js';
import type { VmRecords } from './vm-record-files.js';

/** What the actors of one host have in common. */
export interface VmHost {
  readonly driver: HypervisorDriver;
  readonly folders: StateFolders;
  readonly records: VmRecords;
  readonly cpus: HostCpus;
  /** Moves the threads of running VMs to where the claims of `cpus` want them now. */
  placeThreads(): Promise<void>;
  /** What VMs may run on here. */
  readonly accelerators: readonly Accelerator[];
  /** What a VM becomes that has no machine type yet. Null: there is no QEMU that could run it. */
  newestMachineType(): string | null;
  /** All that VMs can have here, newest first. */
  machineTypes(): readonly string[];
  /** Path of a complete image in the cache, or null. */
  imagePath(sha256: string): Promise<string | null>;
  readonly templates: TemplateStore;
  /** The end of a network card's port on this host; null: it is not here (yet). */
  portOf(portId: string): Promise<PortOnHost | null>;
  readonly pools: Pick<PoolKeeper, 'get' | 'hasRoom' | 'shortenLater'>;
  /** Keeps layers of volumes from being merged while something else is done to them. */
  readonly merges: { holding<Result>(volumeIds: readonly string[], task: () => Promise<Result>): Promise<Result> };
  /** Something that is reported has changed. */
  onChange(vmId: string): void;
  readonly log: Log;
}
