import type { Score } from '../score.js';
import { remainingFreeShare } from './remaining-free-share.js';

/** Leaves vCPUs, memory and disk free in proportion: a host with memory but no vCPUs left is stranded. */
export const balance: Score = {
  name: 'balance',
  weight: 1,
  bind(request, fleet) {
    const vcpus = remainingFreeShare(request, fleet, 'vcpuCount');
    const memory = remainingFreeShare(request, fleet, 'memoryBytes');
    const disk = remainingFreeShare(request, fleet, 'diskBytes');
    const of = (index: number): number => {
      const vcpuShare = vcpus(index);
      const memoryShare = memory(index);
      const diskShare = disk(index);
      return 1 - (Math.max(vcpuShare, memoryShare, diskShare) - Math.min(vcpuShare, memoryShare, diskShare));
    };
    return {
      of,
      addTo(totals, hosts, count, weight) {
        for (let at = 0; at < count; at += 1) {
          totals[at] = (totals[at] as number) + weight * of(hosts[at] as number);
        }
      },
    };
  },
};
