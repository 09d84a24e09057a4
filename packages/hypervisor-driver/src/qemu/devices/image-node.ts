import { createHash } from 'node:crypto';
import type { BlockDevice, DiskImage, MachineSpec, RbdImage } from '../../driver.js';

type QemuNode = Readonly<Record<string, unknown>>;

export const KEY_PREFIX = 'key-';
const NODE_HEX_LENGTH = 28;

/** At most 31 bytes (BlockDriverState.node_name). */
const nodeOf = (diskId: string, image: string): string =>
  `i-${createHash('sha256').update(`${diskId}/${image}`).digest('hex').slice(0, NODE_HEX_LENGTH)}`;

export const keyId = (diskId: string): string => `${KEY_PREFIX}${diskId}`;

/** What the key of a disk in Ceph is to QEMU, but for the key itself. */
export const imageKey = (diskId: string): Readonly<Record<string, unknown>> => ({
  'qom-type': 'secret',
  id: keyId(diskId),
  format: 'base64',
});

type WithDisks = Pick<MachineSpec, 'rootImage' | 'attachments'>;

/** Of all disks that lie in no file. */
export const imagesOf = ({ rootImage, attachments }: WithDisks): DiskImage[] => [
  ...(rootImage === undefined ? [] : [rootImage]),
  ...Object.values(attachments?.images ?? {}),
];

/** The devices among them, which the VM's user has to be given. */
export const devicesOf = (machine: WithDisks): string[] =>
  imagesOf(machine).flatMap((image) => (isDevice(image) ? [image.devicePath] : []));

export const isDevice = (image: DiskImage): image is BlockDevice => 'devicePath' in image;

/** Of a disk that lies in no file. */
export const imageNode = (diskId: string, image: DiskImage, discard: 'unmap' | 'ignore'): QemuNode =>
  isDevice(image) ? deviceNode(diskId, image, discard) : cephNode(diskId, image, discard);

/** A device of the host, as it is: blocks of the guest are blocks of the device. */
const deviceNode = (diskId: string, { devicePath }: BlockDevice, discard: 'unmap' | 'ignore'): QemuNode => ({
  driver: 'host_device',
  'node-name': nodeOf(diskId, devicePath),
  filename: devicePath,
  cache: { direct: true },
  aio: 'native',
  discard,
});

/**
 * A disk in Ceph. Without librbd's cache: what a guest was told is on the disk is there, and no memory of the host is used that
 * was not planned for.
 */
const cephNode = (
  diskId: string,
  { pool, namespace, image, confPath, user }: RbdImage,
  discard: 'unmap' | 'ignore',
): QemuNode => ({
  driver: 'rbd',
  'node-name': nodeOf(diskId, image),
  pool,
  ...(namespace === null ? {} : { namespace }),
  image,
  conf: confPath,
  user,
  'key-secret': keyId(diskId),
  cache: { direct: true },
  discard,
});
