/** How the driver finds QEMU, and how long it waits for it. */
export interface QemuOptions {
  readonly qemuPath: string;
  readonly qemuImgPath: string;
  /** From the start of the process to its monitor's greeting. */
  readonly launchTimeoutMs: number;
  /** One QMP command. */
  readonly commandTimeoutMs: number;
  /** To reach the monitor of a process that an earlier agent started. It is kept without one when that does not answer. */
  readonly adoptTimeoutMs: number;
  /** One run of qemu-img. */
  readonly imageTimeoutMs: number;
}

export const QEMU_OPTIONS: QemuOptions = {
  qemuPath: '/usr/bin/qemu-system-x86_64',
  qemuImgPath: '/usr/bin/qemu-img',
  // 50 to 100 ms are usual; hosts that start hundreds of VMs at once are slower.
  launchTimeoutMs: 30_000,
  // Answers take under 1 ms; QEMU's main loop stalls for seconds only when its storage does.
  commandTimeoutMs: 10_000,
  // Short: a monitor that answers later is heard later, and the VMs that answer need not wait for it.
  adoptTimeoutMs: 3_000,
  // Metadata only; what takes longer waits for storage that has gone away.
  imageTimeoutMs: 60_000,
};
