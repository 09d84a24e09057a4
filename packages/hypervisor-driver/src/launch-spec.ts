import type { Accelerator } from '@kvorum/schema';
import type { MachineSpec } from './machine-spec.js';

export interface LaunchSpec extends MachineSpec {
  readonly vmId: string;
  /** DNS label; shown as the guest's name in process lists. */
  readonly name: string;
  /** Private folder of this run: sockets, pid file, console log. At most 60 bytes long (sun_path is 108, unix(7)). */
  readonly runDir: string;
  readonly epoch: number;
  readonly accelerator: Accelerator;
  /**
   * The versioned machine type, such as pc-q35-10.0: what the guest sees as its mainboard. The same at each start of a VM,
   * whatever QEMU has become meanwhile; guests take a changed one for other hardware.
   */
  readonly machineType: string;
  /** ISO 9660 image that the guest may read as a disk; null or left out: it has none. */
  readonly seedPath?: string | null;
  readonly firmware: FirmwareState;
  readonly placement: VmPlacement;
  /** Start with the vCPUs stopped. */
  readonly isPaused: boolean;
}

/** What of a VM's firmware outlives its process. */
export interface FirmwareState {
  /** Private folder of the VM for UEFI variables and the TPM's state: they go with the folder, which its owner removes. */
  readonly folder: string;
  /** UUID by which a guest sees whether it is still the one it was. The same at each start; another one for a copy. */
  readonly generationId: string;
}

/** Which of the host's CPUs the threads of a VM may use. */
export interface CpuPlacement {
  /** The host CPU of each vCPU, in order, which no other thread of any VM uses; empty: vCPUs run where the others do. */
  readonly vcpuCpus: readonly number[];
  /** For every other thread: main loop, disk work, workers; empty: wherever the kernel puts them. */
  readonly otherCpus: readonly number[];
}

/** What of the host a VM was given. */
export interface VmPlacement extends CpuPlacement {
  /** The host's NUMA node that each of the guest's is bound to, in order; empty: not bound. */
  readonly memoryNodes: readonly number[];
  /** Between those, row by row, as the host's firmware tells them; empty: not known. */
  readonly memoryDistances: readonly (readonly number[])[];
}

/** Nothing promised and nothing forbidden. */
export const ANYWHERE: VmPlacement = { vcpuCpus: [], otherCpus: [], memoryNodes: [], memoryDistances: [] };
