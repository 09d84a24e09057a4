import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { DataDisk, DiskThrottle, Nic, Plugged, VmDevices } from '@kvorum/schema';
import { HOT_MEMORY_BLOCK_BYTES, HOTPLUG_SLOT_COUNT, isPlugged, MIB } from '@kvorum/schema';
import type { DiskImage } from '../../driver.js';
import { imageNode, isDevice, keyId } from './image-node.js';

/**
 * QEMU's objects for the devices of a VM, as JSON that both the command line (-blockdev, -object, -device take it) and QMP
 * take: a device that was plugged in while the VM ran is the same one at its next start. Pure.
 */
export type QemuObject = Readonly<Record<string, unknown>>;

/** Of one disk: its limits, its chain of block nodes (inline, so that they come and go as one), its card. */
export interface DiskPlan {
  readonly id: string;
  readonly diskId: string;
  readonly limitsId: string;
  readonly limits: QemuObject;
  /** The outermost node: what the card uses, and what is resized. At most 31 bytes (BlockDriverState.node_name). */
  readonly node: string;
  readonly blockdev: QemuObject;
  readonly device: QemuObject;
  readonly sizeBytes: number;
  /** Of a disk in Ceph; null: it needs none. */
  readonly key: { readonly id: string; readonly path: string } | null;
}

export interface NicPlan {
  readonly id: string;
  /** QEMU's end of the tap; null: it has none. */
  readonly netdevId: string | null;
  readonly device: QemuObject;
}

export const ROOT_LIMITS_ID = 'limit-root';
export const ROOT_NODE = 'root-limit';
export const DISK_PREFIX = 'disk-';
export const NIC_PREFIX = 'nic-';
export const netdevId = (nicId: string): string => `net-${nicId}`;
export const VCPU_PREFIX = 'vcpu-';
export const HOT_MEMORY_ID = 'hot-memory';
const HOT_MEMORY_BACKEND = 'hot-memory-ram';
const NODE_HEX_LENGTH = 28;
const SERIAL_LENGTH = 20;
const SLOTS_PER_PLACE = 8;
/** On q35's first bus; below are the devices without an address of their own, above is its own bridge (0x1f). */
const FIRST_PLACE = 0x10;

/** What a disk's card uses. */
export const diskNode = (diskId: string): string => `d-${hexOf(diskId)}`;
const hexOf = (id: string): string => id.replaceAll('-', '').slice(-NODE_HEX_LENGTH);
export const DISK_NODE = /^d-[0-9a-f]{28}$/;

/** qapi/block-core.json, ThrottleLimits; 0 is no limit. */
export const limitsOf = ({ iops, bytesPerSecond }: DiskThrottle): QemuObject => ({
  'iops-total': iops ?? 0,
  'bps-total': bytesPerSecond ?? 0,
});

export const throttleGroup = (id: string, limits: QemuObject): QemuObject => ({
  'qom-type': 'throttle-group',
  id,
  limits,
});

/** The limit is there from the start also where there is none, so that it can be set without touching the chain. */
export const throttled = (node: string, limitsId: string, file: string | QemuObject): QemuObject => ({
  'node-name': node,
  driver: 'throttle',
  'throttle-group': limitsId,
  file,
});

/** Of one file of a disk, by which a snapshot finds it. At most 31 bytes. Goes with the disk's outermost node. */
export function layerNode(diskId: string, path: string): string {
  const digest = createHash('sha256')
    .update(`${diskId}/${basename(path)}`)
    .digest('hex');
  return `q-${digest.slice(0, NODE_HEX_LENGTH)}`;
}

/** How a disk's files are opened. */
export interface FileUse {
  readonly direct: boolean;
  readonly discard: 'unmap' | 'ignore';
}

/** The qcow2 file of a disk with all that lies under it. Paths as the process names them; `bases`: the nearest first. */
export function layeredFiles(
  diskId: string,
  path: string,
  bases: readonly string[],
  { direct, discard }: FileUse,
): QemuObject {
  const file = { driver: 'file', cache: { direct }, aio: direct ? 'native' : 'threads' };
  // backing is always given: nothing that a file's header says can make QEMU open another file.
  const backing = bases.reduceRight<QemuObject | null>(
    (below, base) => ({
      driver: 'qcow2',
      'node-name': layerNode(diskId, base),
      'read-only': true,
      // As its layer is: read-only until layers are merged (merge-layer.ts), which a word of its own would forbid.
      file: { ...file, filename: base },
      cache: { direct },
      backing: below,
    }),
    null,
  );
  return {
    driver: 'qcow2',
    'node-name': layerNode(diskId, path),
    file: { ...file, filename: path, discard },
    cache: { direct },
    discard,
    backing,
  };
}

/** `isDirect`: the file system of its files takes O_DIRECT. */
export function planDisk(
  disk: Plugged<DataDisk>,
  path: string,
  isDirect: boolean,
  bases: readonly string[] = [],
): DiskPlan {
  const direct = disk.cache === 'page-cache' ? false : isDirect;
  return planOn(disk, layeredFiles(disk.id, path, bases, { direct, discard: discardOf(disk) }), null);
}

export function planImageDisk(disk: Plugged<DataDisk>, image: DiskImage): DiskPlan {
  const key = isDevice(image) ? null : { id: keyId(disk.id), path: image.keyPath };
  return planOn(disk, imageNode(disk.id, image, discardOf(disk)), key);
}

const discardOf = ({ discard }: DataDisk): FileUse['discard'] => (discard ? 'unmap' : 'ignore');

function planOn(disk: Plugged<DataDisk>, storage: QemuObject, key: DiskPlan['key']): DiskPlan {
  const id = `${DISK_PREFIX}${disk.id}`;
  const limitsId = `limit-${disk.id}`;
  const node = diskNode(disk.id);
  return {
    id,
    diskId: disk.id,
    limitsId,
    limits: limitsOf(disk.throttle),
    node,
    blockdev: throttled(node, limitsId, storage),
    device: {
      driver: 'virtio-blk-pci',
      id,
      bus: `slot-${disk.slot}`,
      drive: node,
      serial: disk.serial ?? disk.id.slice(0, SERIAL_LENGTH),
    },
    sizeBytes: disk.sizeBytes,
    key,
  };
}

/** `mtu`: of its network, which the guest is told (virtio 1.2, 5.1.4: VIRTIO_NET_F_MTU); null: it is on none. */
export const planNic = (nic: Plugged<Nic>, mtu: number | null): NicPlan => ({
  id: `${NIC_PREFIX}${nic.id}`,
  netdevId: mtu === null ? null : netdevId(nic.id),
  device: {
    driver: 'virtio-net-pci',
    id: `${NIC_PREFIX}${nic.id}`,
    bus: `slot-${nic.slot}`,
    // QEMU's own addresses would be the same for every VM.
    ...(nic.macAddress === null ? {} : { mac: nic.macAddress }),
    ...(mtu === null ? {} : { netdev: netdevId(nic.id), host_mtu: mtu }),
  },
});

export const pluggedDisks = ({ dataDisks }: VmDevices): Plugged<DataDisk>[] => dataDisks.filter(isPlugged);
export const pluggedNics = ({ nics }: VmDevices): Plugged<Nic>[] => nics.filter(isPlugged);

/** A node with an image of the catalogue, for a drive. */
export const mediumNode = (sha256: string): string => `m-${sha256.slice(0, NODE_HEX_LENGTH)}`;
export const planMedium = (sha256: string, path: string): QemuObject => ({
  'node-name': mediumNode(sha256),
  driver: 'qcow2',
  'read-only': true,
  backing: null,
  file: { driver: 'file', filename: path, 'read-only': true },
});
export const driveId = (name: string): string => `cdrom-${name}`;

/** Eight root ports in each place of the first bus; their windows for I/O ports, of which there are few, are left out. */
export const slotDevices = (): QemuObject[] =>
  Array.from({ length: HOTPLUG_SLOT_COUNT }, (_, index) => ({
    driver: 'pcie-root-port',
    id: `slot-${index + 1}`,
    bus: 'pcie.0',
    addr: `${(FIRST_PLACE + Math.floor(index / SLOTS_PER_PLACE)).toString(16)}.${index % SLOTS_PER_PLACE}`,
    multifunction: true,
    chassis: index + 1,
    'io-reserve': 0,
  }));

/**
 * Linux brings memory in by blocks of 128 MiB (Documentation/admin-guide/mm/memory-hotplug.rst): of a smaller region it would
 * take nothing. How much is plugged of it is another matter, and bounded by maxMemoryBytes.
 */
const GUEST_BLOCK_BYTES = 128 * MIB;
export const hotMemoryRoom = (memoryBytes: number, maxMemoryBytes: number | null): number =>
  Math.ceil(Math.max(0, (maxMemoryBytes ?? 0) - memoryBytes) / GUEST_BLOCK_BYTES) * GUEST_BLOCK_BYTES;

/** virtio-mem: memory that comes and goes in small blocks. Null: the VM has no room for more. */
export function planHotMemory(memoryBytes: number, maxMemoryBytes: number | null): [QemuObject, QemuObject] | null {
  const room = hotMemoryRoom(memoryBytes, maxMemoryBytes);
  if (room === 0) return null;
  return [
    // reserve off: what is not plugged takes no memory of the host, nor of its overcommit limit.
    { 'qom-type': 'memory-backend-ram', id: HOT_MEMORY_BACKEND, size: room, reserve: false },
    {
      driver: 'virtio-mem-pci',
      id: HOT_MEMORY_ID,
      memdev: HOT_MEMORY_BACKEND,
      node: 0,
      'block-size': HOT_MEMORY_BLOCK_BYTES,
      'requested-size': 0,
    },
  ];
}
