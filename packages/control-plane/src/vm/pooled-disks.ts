import type { CreateVmRequest, VmHardware } from '@kvorum/schema';
import { NAME_LENGTH_MAX } from '@kvorum/schema';
import type { VmShape } from './vm-shape.js';

/** A disk of a VM that lies on a storage pool. */
export interface PooledDisk {
  readonly volumeId: string;
  readonly poolId: string;
  readonly role: 'root' | 'data';
  readonly sizeBytes: number;
}

/** A volume that is there already, and is to become a disk of a VM, as it was read without locks. */
export interface AttachedVolume {
  readonly volumeId: string;
  readonly poolId: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly generation: number;
  readonly claimEpoch: number;
}

/** By id, those of all shapes; of two sizes the larger. */
export function pooledDisksOf(
  rootVolumeId: string,
  shapes: readonly (Pick<VmShape, 'hardware'> | null)[],
): Map<string, PooledDisk> {
  const disks = new Map<string, PooledDisk>();
  const add = (
    volumeId: string | null,
    role: PooledDisk['role'],
    poolId: string | null,
    bytes: number | null,
  ): void => {
    if (volumeId === null || poolId === null) return;
    const sizeBytes = Math.max(bytes ?? 0, disks.get(volumeId)?.sizeBytes ?? 0);
    disks.set(volumeId, { volumeId, poolId, role, sizeBytes });
  };
  for (const shape of shapes) {
    if (shape === null) continue;
    const { rootDisk, dataDisks } = shape.hardware.devices;
    add(rootVolumeId, 'root', rootDisk.poolId, rootDisk.sizeBytes);
    for (const { id, poolId, sizeBytes } of dataDisks) add(id, 'data', poolId, sizeBytes);
  }
  return disks;
}

/** Of volumes that are made with a VM. */
export function pooledDiskBytesOf(
  rootDiskBytes: number,
  { hardware }: Pick<CreateVmRequest, 'hardware'>,
  attached: readonly AttachedVolume[],
): number {
  const { rootDisk, dataDisks } = hardware.devices;
  const made = dataDisks.filter(
    ({ id, poolId }) => poolId !== null && !attached.some(({ volumeId }) => volumeId === id),
  );
  return made.reduce((sum, { sizeBytes }) => sum + sizeBytes, rootDisk.poolId === null ? 0 : rootDiskBytes);
}

export const poolIdsOf = ({ devices: { rootDisk, dataDisks } }: VmHardware): string[] => [
  ...new Set<string>([rootDisk, ...dataDisks].flatMap(({ poolId }) => poolId ?? [])),
];

/** Of the id, what no other volume has. */
const SUFFIX_LENGTH = 12;

/** The name of a volume that is made with its VM: two VMs of one name, one after the other, have volumes of different names. */
export const volumeNameOf = (vmName: string, volumeId: string): string =>
  `${vmName.slice(0, NAME_LENGTH_MAX - SUFFIX_LENGTH - 1)}-${volumeId.slice(-SUFFIX_LENGTH)}`;
