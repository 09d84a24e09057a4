import { MIB } from '../limits.js';
import type { Accelerator } from './vm.schema.js';
import type { Nic } from './vm-devices.schema.js';
import { memoryRoomRefusal, type VmHardware, vcpuRoomRefusal } from './vm-hardware.schema.js';

/**
 * The one table of what changing a field of a VM does. The API's plan, the operation vm.update and docs/live-changes.md are
 * derived from it; nothing else decides whether a change reaches a running guest.
 *
 *   live       at once, in the running machine
 *   next-boot  remembered, shown as pending, and in force from the next start or reboot (not the guest's own, not a reset)
 *   replace    never: another VM has to be made
 */
export type ChangeEffect = 'live' | 'next-boot' | 'replace';

/** What of a running machine decides whether a change can reach it. */
export interface RunningMachine {
  readonly accelerator: Accelerator;
  /** Memory it was started with: what can be taken away is what was added since. */
  readonly bootMemoryBytes: number;
  readonly hardware: VmHardware;
}

export interface FieldEffect {
  /** As in the request. `hardware.devices.dataDisks` is adding or removing one; `….sizeBytes` is changing one that stays. */
  readonly field: string;
  /** The best that can be had. */
  readonly effect: ChangeEffect;
  /** Under which conditions, what the guest or host needs, or for `replace`: what to do instead. For people. */
  readonly note: string;
  /** Of `live` fields: why this change has to wait for the next start, or null. */
  readonly obstacle?: (from: unknown, to: unknown, machine: RunningMachine) => string | null;
}

/** virtio-mem plugs memory in blocks of this size: a huge page of x86-64. */
export const HOT_MEMORY_BLOCK_BYTES = 2 * MIB;

const live = (field: string, note: string, obstacle?: FieldEffect['obstacle']): FieldEffect =>
  obstacle === undefined ? { field, effect: 'live', note } : { field, effect: 'live', note, obstacle };
const nextBoot = (field: string, note: string): FieldEffect => ({ field, effect: 'next-boot', note });
const replace = (field: string, note: string): FieldEffect => ({ field, effect: 'replace', note });

const DEVICES = 'hardware.devices';
const CLOUD_INIT =
  'The seed disk is made anew at each start; cloud-init does most of what it says for a new instance id alone.';

export const VM_FIELD_EFFECTS: readonly FieldEffect[] = [
  live('name', 'The record has it at once; the name of the process on the host follows at the next start.'),
  live('labels', 'Nothing of the machine changes.'),
  live(
    'highAvailability',
    'From the next decision on room is kept for it, or not any more. Nothing of the machine changes.',
  ),
  live(
    'vmGroupId',
    'The VM stays where it is: refused, with the rule, if it would break a hard rule of the group there.',
  ),
  live(
    'vcpuCount',
    'More, up to maxVcpuCount, under KVM and emulation; Linux without udev rules needs `echo 1 > …/cpuN/online`. Fewer under KVM alone, and the guest has to let go. Not with dedicated CPUs, a topology or NUMA nodes.',
    vcpuObstacle,
  ),
  live(
    'memoryBytes',
    'Up to maxMemoryBytes and down to what it was started with, in steps of 2 MiB; the guest needs a driver for virtio-mem (Linux 5.8, CONFIG_VIRTIO_MEM). Only with ordinary memory: no huge pages, nothing locked or preallocated, no NUMA nodes; and not with dedicated CPUs.',
    memoryObstacle,
  ),
  live('rootDiskBytes', 'Another spelling of hardware.devices.rootDisk.sizeBytes.'),
  live('balloon', "The host's policy goes by it from its next round on."),
  nextBoot('cloudInit', 'A guest gets its seed disk at the start.'),
  nextBoot('cloudInit.hostname', CLOUD_INIT),
  nextBoot('cloudInit.sshAuthorizedKeys', CLOUD_INIT),
  nextBoot('cloudInit.userData', `${CLOUD_INIT} Told of by the id of what is kept, never by what it says.`),
  replace('accelerator', 'A guest sees another processor: create the VM anew with the accelerator.'),
  replace('imageId', 'The root disk is an overlay of the image: create the VM anew from the other image.'),
  replace('templateId', 'A fork goes on where its template stood: fork another.'),
  replace('flavorId', 'A flavor gives a VM its first size alone: change vcpuCount, memoryBytes and rootDiskBytes.'),
  replace('projectId', 'Quota and rights hang on it: create the VM anew in the other project.'),
  replace('hostId', 'A VM is moved by a request of its own: POST /v1/vms/{vmId}/move.'),
  nextBoot('start', 'Not a field of the VM: use start and stop.'),
  replace('waitForCapacity', 'Not a field of the VM: it says how long the first placement may wait.'),
  nextBoot('hardware.cpu.model', 'A guest asks once which processor it has.'),
  nextBoot('hardware.cpu.topology', 'A guest counts its sockets, cores and threads once.'),
  nextBoot('hardware.cpu.nestedVirtualisation', 'A guest asks once which processor it has.'),
  nextBoot('hardware.cpuPolicy.policy', 'Host CPUs are claimed at a start.'),
  nextBoot('hardware.cpuPolicy.smt', 'Host CPUs are claimed at a start.'),
  nextBoot('hardware.memory.numaNodeCount', 'Memory is laid out at the start.'),
  nextBoot('hardware.memory.numaNodes', 'Memory is laid out at the start.'),
  nextBoot('hardware.memory.hugePageBytes', 'Huge pages are taken at the start.'),
  nextBoot('hardware.memory.isLocked', 'Memory is locked at the start.'),
  nextBoot('hardware.memory.isPreallocated', 'Memory is taken from the host at the start.'),
  nextBoot('hardware.machineType', 'A guest has one mainboard while it runs; some take another one for new hardware.'),
  nextBoot(
    'hardware.firmware.kind',
    'A mainboard has one firmware; a guest installed under one does not boot under another.',
  ),
  nextBoot('hardware.firmware.secureBoot', 'Firmware reads it when it starts.'),
  nextBoot('hardware.firmware.tpm', 'A mainboard has its TPM from the start.'),
  nextBoot('hardware.firmware.watchdog', 'Plugged in at the start.'),
  nextBoot('hardware.display.kind', 'A mainboard has its screen from the start.'),
  nextBoot(`${DEVICES}.maxVcpuCount`, 'The mainboard has its sockets from the start.'),
  nextBoot(`${DEVICES}.maxMemoryBytes`, 'The mainboard has its memory slots from the start.'),
  live(`${DEVICES}.rootDisk.sizeBytes`, 'Larger only. The guest sees it at once; its file system is its own to grow.'),
  live(`${DEVICES}.rootDisk.throttle`, 'At once.'),
  replace(`${DEVICES}.rootDisk.poolId`, 'A disk stays where it lies: create the VM anew on the other pool.'),
  live(
    `${DEVICES}.dataDisks`,
    'Added and removed through a free slot; the guest needs PCIe hot-plug (each usual one has it) and has to let go of one that is removed.',
  ),
  replace(`${DEVICES}.dataDisks.id`, 'It is the disk: remove this one and add another.'),
  replace(`${DEVICES}.dataDisks.poolId`, 'A disk stays where it lies: add another on the other pool.'),
  live(`${DEVICES}.dataDisks.sizeBytes`, 'Larger only. The guest sees it at once.'),
  live(`${DEVICES}.dataDisks.throttle`, 'At once.'),
  nextBoot(`${DEVICES}.dataDisks.cache`, 'A disk is opened at the start.'),
  nextBoot(`${DEVICES}.dataDisks.discard`, 'A disk is opened at the start.'),
  nextBoot(`${DEVICES}.dataDisks.serial`, 'A guest reads it once.'),
  replace(`${DEVICES}.dataDisks.slot`, 'Given by the site, for the life of the disk.'),
  nextBoot(`${DEVICES}.cdroms`, 'Drives are added and removed at a start; an empty one costs nothing.'),
  replace(`${DEVICES}.cdroms.name`, 'It is the drive: remove this one and add another.'),
  live(
    `${DEVICES}.cdroms.imageId`,
    'At once, unless the guest has locked the drive: then it has to let go of what lies in it.',
  ),
  replace(`${DEVICES}.cdroms.imageSha256`, 'Given by the site with imageId.'),
  live(
    `${DEVICES}.nics`,
    'Added and removed through a free slot; the guest needs PCIe hot-plug and has to let go of one that is removed. One on a network is added at the next start.',
    nicObstacle,
  ),
  replace(`${DEVICES}.nics.id`, 'It is the card: remove this one and add another.'),
  nextBoot(`${DEVICES}.nics.macAddress`, 'A guest reads it once.'),
  replace(`${DEVICES}.nics.backend`, 'A card is connected when it is plugged in: remove this one and add another.'),
  replace(`${DEVICES}.nics.slot`, 'Given by the site, for the life of the card.'),
];

const BY_FIELD = new Map(VM_FIELD_EFFECTS.map((row) => [row.field, row]));

/** The row of a field; a field of a part that nobody thought of waits for the next start, which is always right. */
export const fieldEffectOf = (field: string): FieldEffect =>
  BY_FIELD.get(field) ?? nextBoot(field, 'In force from the next start.');

function vcpuObstacle(from: unknown, to: unknown, { accelerator, hardware }: RunningMachine): string | null {
  const fixed = vcpuRoomRefusal(hardware);
  if (fixed !== null) return `it runs with ${fixed}: its vCPUs are laid out at a start`;
  if (Number(to) < Number(from)) {
    // QEMU takes the vCPU's interrupt controller alone away, and a later plug of memory ends the process.
    return accelerator === 'tcg' ? 'emulation cannot take a vCPU away from a running machine' : null;
  }
  const { maxVcpuCount } = hardware.devices;
  if (maxVcpuCount === null) return 'it was started without room for more vCPUs (hardware.devices.maxVcpuCount)';
  return Number(to) > maxVcpuCount ? `it was started with room for ${maxVcpuCount} vCPUs` : null;
}

function memoryObstacle(_from: unknown, to: unknown, machine: RunningMachine): string | null {
  const { hardware, bootMemoryBytes } = machine;
  const bytes = Number(to);
  const { maxMemoryBytes } = hardware.devices;
  const fixed = memoryRoomRefusal(hardware);
  if (fixed !== null) return `it runs with ${fixed}: its memory is laid out at a start`;
  if (maxMemoryBytes === null) return 'it was started without room for more memory (hardware.devices.maxMemoryBytes)';
  if (bytes > maxMemoryBytes) return `it was started with room for ${maxMemoryBytes} bytes`;
  if (bytes < bootMemoryBytes) return `what it was started with, ${bootMemoryBytes} bytes, cannot be taken away`;
  const isWhole = (bytes - bootMemoryBytes) % HOT_MEMORY_BLOCK_BYTES === 0;
  return isWhole ? null : 'the difference to what it was started with is no whole number of 2 MiB';
}

/** Its tap has to be open in QEMU from the start on. */
function nicObstacle(from: unknown, to: unknown): string | null {
  const backend = (to as Nic | null)?.backend;
  return from === null && backend?.kind === 'network' ? 'A card on a network is plugged in at the next start.' : null;
}
