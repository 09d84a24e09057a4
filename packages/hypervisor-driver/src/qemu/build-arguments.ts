import { isMemoryFixed, TRANSLATION_BUFFER_MIB } from '@kvorum/schema';
import type { LaunchSpec } from '../driver.js';
import { OVMF_FOLDER } from '../firmware/ovmf.js';
import { type CpuPlan, cpuArguments, PLAIN_CPU } from './arguments/cpu-arguments.js';
import { type DeviceFiles, deviceArguments, seedArguments } from './arguments/device-arguments.js';
import { firmwareArguments, firmwareMachine } from './arguments/firmware-arguments.js';
import { memoryArguments } from './arguments/memory-arguments.js';
import { type DiskChain, type ImageDisk, type NoDisk, rootDiskArguments } from './arguments/root-disk-arguments.js';
import { options, pairs } from './option-string.js';
import { type RunFolder, runFolder } from './run-folder.js';
import { serialChardev } from './serial-line.js';
import { arrivalArguments } from './templates/arrival.js';

/**
 * QEMU's command line for one VM. Pure; the golden test shows it whole. Everything not named here is off: -nodefaults
 * and -no-user-config, and q35's own extras (SATA, SMBus, vmport) are switched off too. What a guest cannot reach cannot
 * be attacked from it.
 */
export function buildArguments(
  launch: LaunchSpec,
  disk: DiskChain | ImageDisk | NoDisk,
  process: ProcessPlan = SHARED_USER,
  ovmfFolder = OVMF_FOLDER,
  cpu: CpuPlan = PLAIN_CPU,
): string[] {
  const folder = runFolder(launch.runDir);
  return [
    ...identity(launch),
    ...confinement(),
    ...machine(launch, process, cpu),
    ...monitor(folder),
    ...serialConsole(folder),
    ...rootDiskArguments(launch, process.pathOf, disk),
    ...balloon(launch),
    ...guestAgent(folder),
    ...entropy(),
    ...firmwareArguments(launch, folder, process.pathOf, ovmfFolder),
    ...display(launch, folder),
    ...deviceArguments(launch, 'cache' in disk && disk.cache === 'direct', process),
    ...seedArguments(launch, process),
    ...(process.arrival === null ? [] : arrivalArguments(launch, process.arrival)),
    ...behaviour(),
  ];
}

/** What the process is given, and how it names files. */
export interface ProcessPlan extends DeviceFiles {
  /** /dev/kvm is handed to it under this number, as its user may not open it; null: it opens it. */
  readonly kvmFd: number | null;
}

/** For a process with all the rights of the agent's user. */
export const SHARED_USER: ProcessPlan = {
  kvmFd: null,
  tapFds: {},
  arrival: null,
  pathOf: (path) => path,
};

function identity(launch: LaunchSpec): string[] {
  // debug-threads names vCPU threads in /proc, for people who look.
  return ['-name', options(`guest=${launch.name}`, { 'debug-threads': 'on' }), '-uuid', launch.vmId];
}

/** seccomp: no old system calls, no new privileges, no fork or exec, no change of its own scheduling. */
function confinement(): string[] {
  const denied = { obsolete: 'deny', elevateprivileges: 'deny', spawn: 'deny', resourcecontrol: 'deny' };
  return ['-sandbox', options('on', denied), '-nodefaults', '-no-user-config'];
}

function machine(launch: LaunchSpec, { kvmFd }: ProcessPlan, cpu: CpuPlan): string[] {
  return [
    '-machine',
    // graphics=off makes SeaBIOS speak on the serial console: "No bootable device" must not be a silent screen.
    options(launch.machineType, {
      usb: 'off',
      sata: 'off',
      smbus: 'off',
      vmport: 'off',
      graphics: 'off',
      'dump-guest-core': 'off',
      ...firmwareMachine(launch.hardware.firmware),
    }),
    // The lifecycle knows no suspended guest: offer neither S3 nor S4.
    '-global',
    'ICH9-LPC.disable_s3=1',
    '-global',
    'ICH9-LPC.disable_s4=1',
    ...accelerator(launch, kvmFd),
    ...cpuArguments(launch, cpu),
    ...memoryArguments(launch),
    '-rtc',
    'base=utc',
    '-display',
    'none',
  ];
}

function accelerator(launch: LaunchSpec, kvmFd: number | null): string[] {
  if (launch.accelerator === 'kvm' && kvmFd !== null) {
    const device = options('kvm', { device: '/dev/fdset/1' });
    return ['-add-fd', pairs({ fd: kvmFd, set: 1 }).join(','), '-accel', device];
  }
  if (launch.accelerator === 'kvm') return ['-accel', 'kvm'];
  // tb-size: the default is a GiB per VM, far more than small guests run hot.
  return ['-accel', options('tcg', { thread: 'multi', 'tb-size': TRANSLATION_BUFFER_MIB })];
}

function monitor(folder: RunFolder): string[] {
  return ['-chardev', monitorChardev(folder), '-mon', 'chardev=monitor,mode=control'];
}

/** The argument by which a process is known to be a run of this folder; see find-run.ts. */
export const monitorChardev = (folder: RunFolder): string =>
  options('socket', { id: 'monitor', path: folder.monitorSocket, server: 'on', wait: 'off' });

const serialConsole = (folder: RunFolder): string[] => [
  '-chardev',
  serialChardev(folder),
  '-serial',
  'chardev:console',
];

/** Its statistics are asked for by this name. */
export const BALLOON_ID = 'balloon';

/**
 * Gives memory back by itself when the guest frees it, and lets the guest keep some when it would run out. Memory that was
 * taken at the start on purpose is not given back.
 */
function balloon({ hardware: { memory } }: LaunchSpec): string[] {
  const isKept = isMemoryFixed(memory) || memory.isPreallocated;
  return [
    '-device',
    options('virtio-balloon-pci', {
      id: BALLOON_ID,
      'deflate-on-oom': 'on',
      'free-page-reporting': isKept ? 'off' : 'on',
    }),
  ];
}

function guestAgent(folder: RunFolder): string[] {
  const socket = { id: 'guest-agent', path: folder.guestAgentSocket, server: 'on', wait: 'off' };
  const port = { bus: 'channels.0', chardev: 'guest-agent', name: 'org.qemu.guest_agent.0' };
  return [
    '-device',
    options('virtio-serial-pci', { id: 'channels' }),
    '-chardev',
    options('socket', socket),
    '-device',
    options('virtserialport', port),
  ];
}

/** What a guest may draw from the host in a period: 64 KiB/s, far above what seeding a generator takes. */
const ENTROPY_BYTES_MAX = 65_536;
const ENTROPY_PERIOD_MS = 1000;

/** QEMU's own generator (getrandom(2)): no file descriptor, and never blocks. A guest that draws without end waits. */
function entropy(): string[] {
  return [
    '-object',
    options('rng-builtin', { id: 'entropy' }),
    '-device',
    options('virtio-rng-pci', { rng: 'entropy', 'max-bytes': ENTROPY_BYTES_MAX, period: ENTROPY_PERIOD_MS }),
  ];
}

/**
 * The last device, so that a VM with a screen has all others where one without has them. VNC without a password: its socket lies
 * where only the agent can go. Shared in any case, so that no viewer can throw out the others.
 */
function display({ hardware }: LaunchSpec, folder: RunFolder): string[] {
  if (hardware.display.kind === 'none') return [];
  const server = options(`unix:${folder.displaySocket}`, { share: 'force-shared' });
  return ['-device', options('VGA', { id: 'screen' }), '-vnc', server];
}

/**
 * -S: the vCPUs stand still until their threads are pinned and the run is on record.
 * -action: a guest's reboot restarts it in place, its power-off ends the process, and its panic ends it as a failure.
 * -trace: QEMU notes on its log why it shuts down, which tells even when no monitor was connected (exit-reason.ts).
 */
function behaviour(): string[] {
  return [
    '-S',
    '-boot',
    'strict=on',
    '-action',
    'reboot=reset,shutdown=poweroff,panic=exit-failure',
    '-trace',
    'enable=qemu_system_shutdown_request',
    '-msg',
    'timestamp=on',
  ];
}
