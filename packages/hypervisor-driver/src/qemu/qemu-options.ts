import { OVMF_FOLDER } from '../firmware/ovmf.js';
import type { UidRange } from '../isolation/vm-user.js';

/** How the driver finds QEMU, and how long it waits for it. */
export interface QemuOptions {
  readonly qemuPath: string;
  readonly qemuImgPath: string;
  /** Emulates TPMs. */
  readonly swtpmPath: string;
  /** UEFI firmware, as Debian's package `ovmf` lays it. */
  readonly ovmfFolder: string;
  /** From the start of the process to its monitor's greeting. */
  readonly launchTimeoutMs: number;
  /** One QMP command. */
  readonly commandTimeoutMs: number;
  /** A guest letting go of a device, or taking up memory. */
  readonly guestTimeoutMs: number;
  /** To reach the monitor of a process that an earlier agent started. It is kept without one when that does not answer. */
  readonly adoptTimeoutMs: number;
  /** One run of qemu-img. */
  readonly imageTimeoutMs: number;
  /** Each VM's process runs under a user id of its own out of these; null: under this process's. Needs root. */
  readonly vmUids: UidRange | null;
  /** Control group above those of the VMs, such as `kvorum-1a2b3c4d`, one per agent; null: VMs are not limited. */
  readonly cgroupParent: string | null;
  readonly cgroupRoot: string;
}

export const QEMU_OPTIONS: QemuOptions = {
  qemuPath: '/usr/bin/qemu-system-x86_64',
  qemuImgPath: '/usr/bin/qemu-img',
  swtpmPath: '/usr/bin/swtpm',
  ovmfFolder: OVMF_FOLDER,
  // 50 to 100 ms are usual; hosts that start hundreds of VMs at once are slower.
  launchTimeoutMs: 30_000,
  // Answers take under 1 ms; QEMU's main loop stalls for seconds only when its storage does.
  commandTimeoutMs: 10_000,
  // Linux lets go of an idle device within a second; a busy one under emulation takes several.
  guestTimeoutMs: 30_000,
  // Short: a monitor that answers later is heard later, and the VMs that answer need not wait for it.
  adoptTimeoutMs: 3_000,
  // Metadata only; what takes longer waits for storage that has gone away.
  imageTimeoutMs: 60_000,
  vmUids: null,
  cgroupParent: null,
  cgroupRoot: '/sys/fs/cgroup',
};
