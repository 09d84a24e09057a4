import type { Score } from '../score.js';
import { remainingFreeShare } from './remaining-free-share.js';

/** vCPUs, memory, disk. What hosts set aside for few VMs says nothing about how full they are. */
const SCORED_DIMENSION_COUNT = 3;

/** Fills hosts up one after the other, so that whole hosts stay free for large VMs and for draining. */
export const pack: Score = {
  name: 'pack',
  weight: 1,
  bind(request, fleet) {
    const vcpus = remainingFreeShare(request, fleet, 'vcpuCount');
    const memory = remainingFreeShare(request, fleet, 'memoryBytes');
    const disk = remainingFreeShare(request, fleet, 'diskBytes');
    return (index) => 1 - (vcpus(index) + memory(index) + disk(index)) / SCORED_DIMENSION_COUNT;
  },
};
