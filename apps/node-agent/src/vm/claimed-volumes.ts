import type { ClaimedVolume } from '@kvorum/host-storage';
import type { VmHost } from './vm-host.js';
import type { PooledVolume, VmSpec } from './vm-record.js';

/** How a VM's pooled disks are opened, by the ids of their volumes. */
export type PooledFiles = ReadonlyMap<string, ClaimedVolume>;

/** Of a VM that has none on pools. */
export const NO_POOLED_FILES: PooledFiles = new Map();

/** Takes the right to use all volumes of the specification; for one that the VM has already that changes nothing. */
export async function claimVolumes({ pools }: VmHost, { pooledVolumes }: VmSpec): Promise<PooledFiles> {
  const files = new Map<string, ClaimedVolume>();
  for (const { volumeId, poolId, claimEpoch } of pooledVolumes) {
    files.set(volumeId, await (await pools.get(poolId)).claimVolume(volumeId, claimEpoch));
  }
  return files;
}

/** Gives up volumes that no process of the VM uses any more. Returns those that could not be, to be tried again. */
export async function releaseVolumes({ pools, log }: VmHost, claims: readonly PooledVolume[]): Promise<PooledVolume[]> {
  const left: PooledVolume[] = [];
  for (const claim of claims) {
    const { volumeId, poolId, claimEpoch } = claim;
    try {
      await (await pools.get(poolId)).releaseVolume(volumeId, claimEpoch);
      pools.shortenLater(poolId, volumeId);
    } catch (thrown) {
      log.warn({ volumeId, poolId, error: String(thrown) }, 'a volume could not be released; trying again');
      left.push(claim);
    }
  }
  return left;
}

/** What a VM may be using once it has all of `more`: of a volume in both, the later claim. */
export const withClaims = (claims: readonly PooledVolume[], more: readonly PooledVolume[]): PooledVolume[] => [
  ...claims.filter(({ volumeId }) => !more.some((one) => one.volumeId === volumeId)),
  ...more,
];
