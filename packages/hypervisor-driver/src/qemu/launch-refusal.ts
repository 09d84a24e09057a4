import {
  CpuModel,
  CpuTopology,
  DomainError,
  isMachineType,
  isPlugged,
  type LayoutRefusal,
  layoutRefusals,
  MEMORY_BYTES_MAX,
  MEMORY_BYTES_MIN,
  MIB,
  MTU_MAX,
  MTU_MIN,
  NAME_LENGTH_MAX,
  topologyRefusal,
  VCPU_COUNT_MAX,
} from '@kvorum/schema';
import { pinningRefusal } from '../cpu/pinning-refusal.js';
import type { DiskImage, LaunchSpec, MachineSpec, TapOfCard } from '../driver.js';
import { imagesOf, isDevice } from './devices/image-node.js';
import { pathRefusal, runFolderRefusal } from './run-folder.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** RFC 1035 section 2.3.1, as ResourceName in the contract. */
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Throws `invalid_request` naming the field. The last check before a command line is made: callers need not be trusted. */
export function assertLaunchable(launch: LaunchSpec): void {
  refuse(launchRefusals(launch), layoutRefusals(launch));
}

function refuse(refusals: Record<string, string | null>, layout: readonly LayoutRefusal[]): void {
  const fields = Object.entries(refusals)
    .filter((entry): entry is [string, string] => entry[1] !== null)
    .map(([field, message]) => ({ field, message }))
    .concat(layout.map(({ field, message }) => ({ field: `hardware.${field}`, message })));
  if (fields.length === 0) return;
  const [first] = fields;
  throw new DomainError('invalid_request', `${first?.field} ${first?.message}`, { details: { fields } });
}

function launchRefusals(launch: LaunchSpec): Record<string, string | null> {
  const { vmId, name, epoch, vcpuCount, memoryBytes, runDir, diskPath, placement, accelerator } = launch;
  return {
    vmId: UUID.test(vmId) ? null : 'is not a UUID in lower case',
    name: DNS_LABEL.test(name) && name.length <= NAME_LENGTH_MAX ? null : 'is not a DNS label',
    epoch: Number.isSafeInteger(epoch) && epoch >= 0 ? null : 'is not a whole number from 0 up',
    vcpuCount: isWithin(vcpuCount, 1, VCPU_COUNT_MAX) ? null : `is not within 1 to ${VCPU_COUNT_MAX}`,
    memoryBytes: memoryRefusal(memoryBytes),
    accelerator: accelerator === 'kvm' || accelerator === 'tcg' ? null : 'is neither kvm nor tcg',
    ...firmwareRefusals(launch),
    machineType: isMachineType(launch.machineType) ? null : 'is not a versioned q35 such as pc-q35-10.0',
    'hardware.cpu.model': modelRefusal(launch),
    'hardware.cpu.topology': launchTopologyRefusal(launch),
    runDir: runFolderRefusal(runDir),
    diskPath: pathRefusal(diskPath),
    placement: pinningRefusal(vcpuCount, placement) ?? memoryNodesRefusal(launch),
    ...machineRefusals(launch),
  };
}

/** Throws `invalid_request` that names the field. */
export function assertMachine(machine: MachineSpec): void {
  const refusals = {
    vcpuCount: isWithin(machine.vcpuCount, 1, VCPU_COUNT_MAX) ? null : `is not within 1 to ${VCPU_COUNT_MAX}`,
    memoryBytes: memoryRefusal(machine.memoryBytes),
    ...machineRefusals(machine),
  };
  refuse(refusals, layoutRefusals(machine));
}

function machineRefusals({
  vcpuCount,
  memoryBytes,
  hardware,
  rootBases,
  rootImage,
  attachments,
}: MachineSpec): Record<string, string | null> {
  const { devices } = hardware;
  const images = imagesOf({ ...(rootImage && { rootImage }), ...(attachments && { attachments }) });
  const isUnplugged = [...devices.dataDisks, ...devices.nics].some((device) => !isPlugged(device));
  const paths = [
    ...devices.dataDisks.flatMap(({ id }) =>
      attachments?.images?.[id ?? ''] === undefined ? [attachments?.disks[id ?? '']] : [],
    ),
    ...images.flatMap((image) => (isDevice(image) ? [image.devicePath] : [image.confPath, image.keyPath])),
    ...devices.cdroms.flatMap(({ imageSha256 }) => (imageSha256 === null ? [] : [attachments?.media[imageSha256]])),
    ...Object.values(attachments?.bases ?? {}).flat(),
    ...(rootBases ?? []),
  ];
  const { maxVcpuCount, maxMemoryBytes } = devices;
  const lacksTap = devices.nics.some(
    ({ id, backend }) => backend.kind === 'network' && !isTap(attachments?.taps?.[id ?? '']),
  );
  return {
    'attachments.taps': lacksTap ? 'has no usable interface for a network card on a network' : null,
    'hardware.devices': isUnplugged ? 'has a device without id or slot' : null,
    'hardware.devices.maxVcpuCount':
      maxVcpuCount !== null && maxVcpuCount < vcpuCount ? 'is below the number of vCPUs' : null,
    'hardware.devices.maxMemoryBytes':
      maxMemoryBytes !== null && maxMemoryBytes < memoryBytes ? 'is below the memory' : null,
    attachments: paths.every((path) => path !== undefined && pathRefusal(path) === null)
      ? null
      : 'has no usable path for a device',
    'attachments.images': images.every(isNamed) ? null : 'has no usable name of an image',
  };
}

/** What Ceph takes for names, without what separates them in its tools. */
const CEPH_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const isNamed = (one: DiskImage): boolean =>
  isDevice(one) ||
  [one.pool, one.image, one.user, ...(one.namespace === null ? [] : [one.namespace])].every((name) =>
    CEPH_NAME.test(name),
  );

function firmwareRefusals({ hardware, firmware }: LaunchSpec): Record<string, string | null> {
  const { kind, secureBoot } = hardware.firmware;
  return {
    'firmware.folder': pathRefusal(firmware.folder),
    'firmware.generationId': UUID.test(firmware.generationId) ? null : 'is not a UUID in lower case',
    'hardware.firmware.secureBoot': secureBoot && kind !== 'uefi' ? 'needs kind uefi' : null,
  };
}

function memoryNodesRefusal({ hardware, placement: { memoryNodes, memoryDistances } }: LaunchSpec): string | null {
  const { numaNodeCount } = hardware.memory;
  if (memoryNodes.length > 0 && memoryNodes.length !== numaNodeCount) {
    return `names ${memoryNodes.length} memory nodes for ${numaNodeCount} of the guest`;
  }
  if (!memoryNodes.every((node) => isWithin(node, 0, HOST_NODE_MAX))) return 'names a memory node that cannot be';
  const isSquare = memoryDistances.every((row) => row.length === memoryDistances.length);
  const isTable = memoryDistances.length === 0 || (isSquare && memoryDistances.length === memoryNodes.length);
  const isBounded = memoryDistances.flat().every((distance) => isWithin(distance, LOCAL_DISTANCE, DISTANCE_MAX));
  return isTable && isBounded ? null : 'has distances that are not a table of its memory nodes';
}

/** MAX_NUMNODES of x86-64 kernels, include/linux/numa.h. */
const HOST_NODE_MAX = 1023;
/** ACPI SLIT: a byte each, 255 means unreachable. */
const LOCAL_DISTANCE = 10;
const DISTANCE_MAX = 254;
function modelRefusal({ hardware, accelerator }: LaunchSpec): string | null {
  const { model } = hardware.cpu;
  if (model === null) return null;
  if (!CpuModel.safeParse(model).success) return 'is not host, max or a versioned model such as Haswell-v4';
  if (model === 'host' && accelerator !== 'kvm') return 'host needs kvm: emulation has max instead';
  if (model === 'max' && accelerator !== 'tcg') return 'max is for emulation: under kvm it is host';
  return null;
}

function launchTopologyRefusal({ hardware, vcpuCount }: LaunchSpec): string | null {
  const { topology } = hardware.cpu;
  if (topology !== null && !CpuTopology.safeParse(topology).success) return 'has counts out of bounds';
  return topologyRefusal(topology, vcpuCount);
}

/** As the kernel takes names of interfaces (dev_valid_name, net/core/dev.c), without what means something in options. */
const INTERFACE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;
const isTap = (tap: TapOfCard | undefined): boolean =>
  tap !== undefined && INTERFACE_NAME.test(tap.interfaceName) && isWithin(tap.mtu, MTU_MIN, MTU_MAX);

function memoryRefusal(memoryBytes: number): string | null {
  if (!isWithin(memoryBytes, MEMORY_BYTES_MIN, MEMORY_BYTES_MAX)) {
    return `is not within ${MEMORY_BYTES_MIN} to ${MEMORY_BYTES_MAX}`;
  }
  return memoryBytes % MIB === 0 ? null : 'is not a whole number of MiB';
}

const isWithin = (value: number, min: number, max: number): boolean =>
  Number.isSafeInteger(value) && value >= min && value <= max;
