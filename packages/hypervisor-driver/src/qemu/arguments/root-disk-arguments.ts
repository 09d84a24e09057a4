import { type DiskImage, type LaunchSpec, ROOT_DISK_ID } from '../../driver.js';
import {
  layeredFiles,
  limitsOf,
  type QemuObject,
  ROOT_LIMITS_ID,
  ROOT_NODE,
  throttled,
  throttleGroup,
} from '../devices/device-plan.js';
import { imageNode, isDevice } from '../devices/image-node.js';
import { options } from '../option-string.js';
import { keyArguments } from './key-arguments.js';

export interface DiskChain {
  /** What lies under the disk, the nearest first: templates, and an image as the last. */
  readonly bases: readonly string[];
  /**
   * `direct`: O_DIRECT with Linux AIO, so that guest pages are not cached twice and a host's write-back never stalls
   * other VMs. `page-cache`: for file systems without O_DIRECT. Both honour the guest's flushes.
   */
  readonly cache: 'direct' | 'page-cache';
  /** Its files are found by names of their own, as those of data disks are: snapshots turn it to others. */
  readonly isPooled?: boolean;
}

/** It lies in no file. */
export interface ImageDisk {
  readonly image: DiskImage;
}

/** Of a process whose guest never runs: as large, and empty. */
export interface NoDisk {
  readonly sizeBytes: number;
}

/** `disk`: how its process names files is up to `pathOf`. */
export function rootDiskArguments(
  launch: LaunchSpec,
  pathOf: (path: string) => string,
  disk: DiskChain | ImageDisk | NoDisk,
): string[] {
  const limits = limitsOf(launch.hardware.devices.rootDisk.throttle);
  const nodes = nodesUnder(launch, pathOf, disk);
  return [
    '-object',
    JSON.stringify(throttleGroup(ROOT_LIMITS_ID, limits)),
    ...('image' in disk && !isDevice(disk.image) ? keyArguments(launch, ROOT_DISK_ID, pathOf) : []),
    ...nodes.flatMap((node) => ['-blockdev', JSON.stringify(node)]),
    '-device',
    options('virtio-blk-pci', { id: 'root-disk', drive: ROOT_NODE, bootindex: 0 }),
  ];
}

function nodesUnder(
  launch: LaunchSpec,
  pathOf: (path: string) => string,
  disk: DiskChain | ImageDisk | NoDisk,
): readonly QemuObject[] {
  const outermost = (file: string | QemuObject): QemuObject => throttled(ROOT_NODE, ROOT_LIMITS_ID, file);
  if ('image' in disk) return [outermost(imageNode(ROOT_DISK_ID, disk.image, 'unmap'))];
  if ('sizeBytes' in disk) return [emptyNode(disk), outermost('root')];
  if (disk.isPooled !== true) return [...chainOf(launch, pathOf, disk), outermost('root')];
  const use = { direct: disk.cache === 'direct', discard: 'unmap' as const };
  return [outermost(layeredFiles(ROOT_DISK_ID, pathOf(launch.diskPath), disk.bases.map(pathOf), use))];
}

const emptyNode = ({ sizeBytes }: NoDisk): QemuObject => ({
  'node-name': 'root',
  driver: 'null-co',
  size: sizeBytes,
  'read-zeroes': true,
});

/**
 * The whole chain is named here, in JSON (no escaping, -blockdev of qemu(1)): QEMU neither probes a format nor follows a
 * backing file that a header names. What lies under the disk is read through the page cache in any case: many VMs share it,
 * and it is never written.
 */
function chainOf(launch: LaunchSpec, pathOf: (path: string) => string, { bases, cache }: DiskChain): QemuObject[] {
  const isDirect = cache === 'direct';
  const names = bases.map((_, index) => (index === bases.length - 1 ? 'image' : `base-${index + 1}`));
  const below = bases.flatMap((path, index) => baseNodes(names[index] ?? '', pathOf(path), names[index + 1] ?? null));
  return [
    ...below.reverse(),
    {
      'node-name': 'root-file',
      driver: 'file',
      filename: pathOf(launch.diskPath),
      cache: { direct: isDirect },
      aio: isDirect ? 'native' : 'threads',
      discard: 'unmap',
    },
    {
      'node-name': 'root',
      driver: 'qcow2',
      file: 'root-file',
      cache: { direct: isDirect },
      discard: 'unmap',
      backing: names[0] ?? null,
    },
  ];
}

/** In the order that `chainOf` turns around: a node is named after those that it uses. */
function baseNodes(name: string, filename: string, backing: string | null): QemuObject[] {
  const cache = { direct: false };
  return [
    { 'node-name': name, driver: 'qcow2', file: `${name}-file`, 'read-only': true, cache, backing },
    { 'node-name': `${name}-file`, driver: 'file', filename, 'read-only': true, cache },
  ];
}
