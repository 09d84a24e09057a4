import type { PooledClaim } from './claim-pooled-disks.js';
import { type AttachedVolume, pooledDisksOf, volumeNameOf } from './pooled-disks.js';
import type { PooledVolumeOfVm } from './vm-operation.js';
import type { VmParts } from './vm-parts.js';

/** What of a claim on a VM is about its disks. */
interface DisksOfClaim {
  readonly ids: { readonly vmId: string; readonly volumeId: string; readonly operationId: string };
  readonly request: { readonly name: string };
  readonly parts: VmParts;
  readonly attached: readonly AttachedVolume[];
}

/** In the folder of its host. */
export function localDisksOf({ ids, parts: { hardware, rootDiskBytes } }: DisksOfClaim) {
  const { rootDisk, dataDisks } = hardware.devices;
  const root = { id: ids.volumeId, role: 'root' as const, sizeBytes: rootDiskBytes, poolId: rootDisk.poolId };
  const data = dataDisks.map(({ id, sizeBytes, poolId }) => ({ id, role: 'data' as const, sizeBytes, poolId }));
  return [root, ...data].filter(({ poolId }) => poolId === null);
}

export const pooledClaimOf = (claim: DisksOfClaim): PooledClaim => {
  const { ids, request, parts, attached } = claim;
  const disks = [...pooledDisksOf(ids.volumeId, [parts]).values()].filter(
    ({ volumeId }) => !attached.some((volume) => volume.volumeId === volumeId),
  );
  const of = { vmId: ids.vmId, vmName: request.name, projectId: parts.project.id, operationId: ids.operationId };
  return { ...of, imageId: parts.image.id, disks, attached };
};

/** As they are once `claimPooledDisks` has taken them. */
export function pooledVolumesOf(claim: DisksOfClaim): PooledVolumeOfVm[] {
  const { vmName, disks, attached } = pooledClaimOf(claim);
  const made = disks.map(({ volumeId, poolId, sizeBytes }) => {
    const first = { generation: 1, claimEpoch: 1, goesWithVm: true };
    return { volumeId, poolId, name: volumeNameOf(vmName, volumeId), sizeBytes, ...first };
  });
  const taken = attached.map(({ volumeId, poolId, name, sizeBytes, generation, claimEpoch }) => {
    const next = { generation: generation + 1, claimEpoch: claimEpoch + 1, goesWithVm: false };
    return { volumeId, poolId, name, sizeBytes, ...next };
  });
  return [...made, ...taken];
}
