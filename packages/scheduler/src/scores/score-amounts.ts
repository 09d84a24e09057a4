import { POLICIES } from '../fleet/host-row.js';

const SPREAD = POLICIES.indexOf('spread');
const BALANCED = POLICIES.indexOf('balanced');
/** vCPUs, memory, disk. What hosts set aside for few VMs says nothing about how full they are. */
const SCORED_DIMENSION_COUNT = 3;

/** More than all other scores together: no saving of room is worth emulation, which is 10 to 50 times slower. */
export const ACCELERATOR_WEIGHT = 10;
export const FILL_WEIGHT = 1;
export const BALANCE_WEIGHT = 1;

/** From the shares that would be left free, and the policy of the host's group as an index into POLICIES. */
export function fillOf(policy: number, vcpuShare: number, memoryShare: number, diskShare: number): number {
  if (policy === BALANCED) return 0.5;
  const mean = (vcpuShare + memoryShare + diskShare) / SCORED_DIMENSION_COUNT;
  return policy === SPREAD ? mean : 1 - mean;
}

export const balanceOf = (vcpuShare: number, memoryShare: number, diskShare: number): number =>
  1 - (Math.max(vcpuShare, memoryShare, diskShare) - Math.min(vcpuShare, memoryShare, diskShare));

/** The scores of accelerator, fill and balance together, added in the order of the scores: the same number to the last bit. */
export const totalOfAmounts = (
  hasKvm: boolean,
  policy: number,
  vcpuShare: number,
  memoryShare: number,
  diskShare: number,
): number =>
  (hasKvm ? ACCELERATOR_WEIGHT : 0) +
  FILL_WEIGHT * fillOf(policy, vcpuShare, memoryShare, diskShare) +
  BALANCE_WEIGHT * balanceOf(vcpuShare, memoryShare, diskShare);

/**
 * How far the total of a host can be above that of a request for nothing, for a request that takes at most these shares of
 * any host: its mean moves by their mean, and the largest share against the smallest by at most the largest of them.
 */
export const totalReach = (vcpuShare: number, memoryShare: number, diskShare: number): number =>
  (FILL_WEIGHT * (Math.abs(vcpuShare) + Math.abs(memoryShare) + Math.abs(diskShare))) / SCORED_DIMENSION_COUNT +
  BALANCE_WEIGHT * (Math.max(0, vcpuShare, memoryShare, diskShare) - Math.min(0, vcpuShare, memoryShare, diskShare));
