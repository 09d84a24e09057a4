import type { Accelerator, HostFacts } from '@kvorum/schema';
import type { ConsolePort } from './console-port.js';
import type { AdoptedDisk, DiskSpec, FlattenedDisk, FlattenWatch } from './disk-spec.js';
import type { DeviceEvent } from './firmware/device-events.js';
import type { GuestPort } from './guest-port.js';
import type { CpuPlacement, LaunchSpec } from './launch-spec.js';
import type { DiskSwitch, LayerMerge, MachineSpec, MergeProgress } from './machine-spec.js';
import type { FreezeSpec, TemplateFacts } from './template-port.js';

export type * from './disk-spec.js';
export { ANYWHERE, type CpuPlacement, type FirmwareState, type LaunchSpec, type VmPlacement } from './launch-spec.js';
export { type BlockDevice, type DiskImage, type RbdImage, ROOT_DISK_ID } from './machine-spec.js';
export type { TapOfCard } from './network/open-tap.js';
export type { DeviceEvent, DiskSwitch, LayerMerge, MachineSpec, MergeProgress };

/**
 * The port between a host's agent and the machine's hypervisor. Mechanism only: a driver never decides, never retries and
 * never hides a failure. Two implementations pass one contract suite: QEMU (`qemu/`) and an in-memory one (`fake/`).
 *
 * Every method throws DomainError: `invalid_request` for input the mechanism cannot take, `image_invalid` for a base image that is
 * not a whole qcow2 file, `conflict_state` when something else is there already or the VM was released, `host_fault` for a
 * failure of the host, `guest_fault` when the VM's process ended, `deadline_exceeded` when a time limit passed.
 */
export interface HypervisorDriver {
  /** Facts of this host, with the evidence for each. Safe to call at any time; takes below a second. */
  observeHost(): Promise<HostFacts>;
  /** Of the host's CPUs, those on which this process may run VMs: a cpuset may leave it fewer. */
  usableCpus(): readonly number[];

  /**
   * Makes the disk at `path` as a copy-on-write overlay of `imagePath` (qcow2), or leaves it if it is there with the
   * same backing file and size. One that is smaller is made larger; no process may have it open then. Written under a temporary name and renamed, so that a crash leaves no half disk.
   */
  ensureDisk(disk: DiskSpec): Promise<void>;
  /**
   * Makes a file that came from another host the disk at `path`, on the image of this host. Hostile until checked:
   * `image_invalid` for one that names other files, is larger, or whose tables contradict each other. No error if it was done before.
   */
  adoptDisk(disk: AdoptedDisk): Promise<void>;
  /**
   * Writes all that is seen through a disk, which no process has open, to a new file that rests on nothing. Its header is hostile: a
   * process that was taken over could have written it. `image_invalid`: it names other files than it is to rest on, or is larger;
   * `no_capacity`: the file system of the new file would be left with too little room. What was begun is left to the caller to remove.
   */
  flattenDisk(disk: FlattenedDisk, watch: FlattenWatch): Promise<void>;
  /** Removes the disk and anything a crash left beside it. No error if it is not there. */
  removeDisk(path: string): Promise<void>;

  /** Starts a VM that is not running. Resolves when the monitor answers and vCPU threads are pinned as asked. */
  launch(launch: LaunchSpec): Promise<RunningVm>;
  /**
   * Makes a template of a running VM, or finds the one that is in the folder. The VM gives up its network cards, stands still
   * while its memory is copied, and has both again afterwards, also after a failure; a crash of the caller may leave it standing
   * still, and without cards: `endFreeze` sets that right. `conflict_state`: it does not run, its hardware
   * cannot be frozen, or its guest did not let go of a card.
   */
  freezeTemplate(freeze: FreezeSpec): Promise<TemplateFacts>;
  /**
   * Sets right what a freezeTemplate whose caller died has left of the VM, which is held by this driver: it goes on, with its
   * cards. Whatever the caller had made of a template is the caller's to remove. Idempotent.
   */
  endFreeze(golden: LaunchSpec): Promise<void>;
  /** Null: there is no whole template in the folder. */
  readTemplate(folder: string): Promise<TemplateFacts | null>;
  /** Removes it, or what is left of one. Nothing may rest on its disk. No error if it is not there. */
  removeTemplate(folder: string): Promise<void>;
  /**
   * Starts a VM as `launch` does, where the template's guest stood still: with its memory, which forks share until they change
   * it, and with a generation id and network cards of its own. Its disk must rest on the template's and be untouched since it
   * was made. `conflict_state`: its hardware is not the template's, `not_found`: there is no template, `checksum_mismatch`: it
   * is not what was frozen.
   */
  forkVm(launch: LaunchSpec, templateFolder: string): Promise<RunningVm>;
  /**
   * Finds the process that an earlier agent left running in `runDir`, or null. A process that is certainly this VM's is
   * taken over also when its monitor does not answer: `checkMonitor` tells, and only `end` ends it. What runs there and is
   * not on record as a confirmed run of this VM is ended, so that null means: nothing of this VM runs.
   */
  adopt(vmId: string, runDir: string): Promise<RunningVm | null>;
  /** Ends whatever runs in `runDir` and removes its sockets and pid file; the console log stays. Idempotent. */
  sweep(vmId: string, runDir: string): Promise<void>;
  /**
   * Removes what ended VMs left on the host outside their run folders, but for VMs that are `owned`, and returns whose it was. After all
   * VMs of an agent that starts were adopted; nothing of a VM that runs is touched.
   */
  removeLeftovers(isOwned: (vmId: string) => boolean): Promise<readonly string[]>;
  /**
   * How the last run in `runDir` ended, also when nobody watched; null while it runs, after a sweep, and when the folder
   * has no run of this VM. An agent that starts asks after `adopt` returned null.
   */
  readExit(vmId: string, runDir: string): Promise<PastExit | null>;
}

export type VmPower = 'running' | 'paused';

export interface VmExit {
  /** `out-of-memory`: the kernel ended it for want of memory, its own limit's or the host's. */
  readonly reason: 'guest-shutdown' | 'requested' | 'crash' | 'out-of-memory';
  /** What is known: exit code or signal, and the last lines the process wrote. Bounded to 4 KiB. */
  readonly detail: string;
}

export interface PastExit {
  readonly epoch: number;
  readonly exit: VmExit;
}

/** What stopped a VM: its disk could not be written, and its guest has not seen an error. It goes on after `resume`. */
export interface DiskFault {
  readonly kind: 'full' | 'failing';
  /** In the hypervisor's words; bounded to 512 characters. */
  readonly detail: string;
}

export interface MonitorAnswer {
  readonly power: VmPower;
  /** Null unless the VM stands still because of it. */
  readonly diskFault: DiskFault | null;
}

export interface GuestAnswer {
  readonly isResponding: boolean;
}

/** A running VM. After its exit every method throws `guest_fault`. */
export interface RunningVm {
  readonly vmId: string;
  readonly epoch: number;
  readonly pid: number;
  readonly accelerator: Accelerator;

  queryPower(): Promise<VmPower>;
  /**
   * Makes the running machine the given one as far as that is possible: vCPUs, memory, data disks, network cards, media of
   * drives, sizes and limits of disks. What is right already is left alone. `conflict_state`: the guest did not let go of
   * something (nothing was added then), or the machine was started without room. QMP device_add, device_del, qom-set,
   * block_resize, blockdev-insert-medium.
   */
  ensureMachine(machine: MachineSpec): Promise<void>;
  /**
   * Snapshots of several disks at one instant, all or none: from then on the guest writes to overlays, which those that do already keep; an
   * image in Ceph keeps its content by a name. `conflict_state`: no such disk. The next `ensureMachine` names the new files.
   */
  switchDisks(switches: readonly DiskSwitch[]): Promise<void>;
  /**
   * Has the process write what `childPath` has into `basePath`, on which `abovePath` then rests, while the guest goes on; begins that or
   * says how far it is, also of what an earlier agent has begun. A change of the disk's size, or its removal, waits for nothing: end it
   * first. `conflict_state`: the disk has not these layers. QMP block-commit, query-jobs.
   */
  mergeLayer(merge: LayerMerge): Promise<MergeProgress>;
  /** Breaks off merges of the disk, if there are any; one that was about to be done may be. None is under way when it resolves. */
  endMerges(diskId: string): Promise<void>;
  /**
   * Asks the monitor for a sign of life, connecting to it anew if the connection is lost. Safe to call at any rate: at
   * most one question is under way. `deadline_exceeded`: no answer within `timeoutMs`, the process lives; `host_fault`:
   * there is no way to the monitor any more, and the message says why.
   */
  checkMonitor(timeoutMs: number): Promise<MonitorAnswer>;
  pause(): Promise<void>;
  /**
   * Runs it while the guest stands still, with all that it was told is written on its disks; then the guest goes on. One that is paused
   * stays so. If this process dies meanwhile, whoever adopts the VM has it go on. QMP stop, cont.
   */
  holdStill<Result>(run: () => Promise<Result>): Promise<Result>;
  resume(): Promise<void>;
  /** The reset button: the guest starts anew without being asked. QMP system_reset. */
  reset(): Promise<void>;
  /** The power button: asks the guest to shut down (ACPI); it may ignore it. QMP system_powerdown. */
  pressPowerButton(): Promise<void>;
  /** Ends the process and resolves when it is gone. Idempotent; at most `timeoutMs`, then SIGKILL. */
  end(timeoutMs: number): Promise<void>;

  /** Asks the balloon for this much guest memory and returns what the balloon says now. QMP balloon, query-balloon. */
  setBalloon(targetBytes: number): Promise<number>;
  queryBalloon(): Promise<number>;
  /**
   * Has the guest's balloon driver say every `intervalS` seconds (1 to 3600) of the guest's running time how its memory is
   * used. Asking for the same interval again changes nothing. QOM guest-stats-polling-interval.
   */
  pollMemoryStats(intervalS: number): Promise<void>;
  /** What the balloon driver said last; null: in this process none has ever said anything. QOM guest-stats. */
  queryMemoryStats(): Promise<GuestMemoryStats | null>;
  /** Is the VM's memory on its way to another host? Its balloon must then be left alone. QMP query-migrate. */
  isMigrating(): Promise<boolean>;
  /** One ping of the guest agent within `timeoutMs`. No answer is not an error. */
  pingGuest(timeoutMs: number): Promise<GuestAnswer>;
  /** What the guest's agent can be asked. */
  readonly guest: GuestPort;
  /** Its serial line and screen. */
  readonly consoles: ConsolePort;
  /** The generation id as the guest sees it. QMP query-vm-generation-id. */
  queryGenerationId(): Promise<string>;
  /** Every thread of the process with the CPUs it may run on, as the kernel says (sched_getaffinity(2)). */
  queryThreads(): Promise<VmThread[]>;
  /**
   * Binds every thread as the placement says, and returns how many were not so before. Safe at any time: threads that the
   * process starts meanwhile inherit from one that is bound. `host_fault`: this host has no such CPU.
   */
  placeThreads(placement: CpuPlacement): Promise<number>;
  /** What the process takes of the host beyond the guest's memory; null: not known, as of one that has just ended. */
  measureMemory(): Promise<VmMemoryUse | null>;

  /** Resolves once, when the process is gone, however it ended. */
  readonly exited: Promise<VmExit>;
  /** Power changes that nobody asked for (guest paused by an error, resumed). Returns the unsubscribe function. */
  onPowerChange(listener: (power: VmPower) => void): () => void;
  /**
   * Calls the listener for each event of a device, and at once for the last one of each kind that was heard of since this
   * driver holds the VM. Returns the unsubscribe function.
   */
  onDeviceEvent(listener: (event: DeviceEvent) => void): () => void;
  /** Lets go of the VM without touching it: sockets of the agent close, the process goes on. */
  release(): Promise<void>;
}

/** The guest's own account, which it may forge: bounded numbers, nothing more. Null: this guest does not say it. */
export interface GuestMemoryStats {
  /** When the guest said it: host time in Unix ms, exact to a second. */
  readonly updatedAtMs: number;
  readonly totalBytes: number | null;
  readonly freeBytes: number | null;
  /** What programs could still get without swapping, caches counted (MemAvailable of proc_meminfo(5)). */
  readonly availableBytes: number | null;
  readonly diskCacheBytes: number | null;
}

export interface VmThread {
  readonly threadId: number;
  /** Null: not a vCPU. */
  readonly vcpuIndex: number | null;
  /** What QEMU calls it, for people: it could call it anything. */
  readonly name: string;
  readonly cpus: readonly number[];
}

/** Both in bytes. */
export interface VmMemoryUse {
  /** The guest's memory that is in the host's now. */
  readonly guestBytes: number;
  /** QEMU itself: its own memory, its share of program text, page tables. */
  readonly overheadBytes: number;
}

/** Where a run keeps its console log, relative to the run folder. Written by the hypervisor, read by the agent. */
export const CONSOLE_LOG_NAME = 'console.log';
