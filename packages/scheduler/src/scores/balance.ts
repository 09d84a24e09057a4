import type { Score } from '../score.js';
import { remainingFreeShare } from './remaining-free-share.js';
import { BALANCE_WEIGHT, balanceOf } from './score-amounts.js';

/** Leaves vCPUs, memory and disk free in proportion: a host with memory but no vCPUs left is stranded. */
export const balance: Score = {
  name: 'balance',
  weight: BALANCE_WEIGHT,
  bind(request, fleet) {
    const vcpus = remainingFreeShare(request, fleet, 'vcpuCount');
    const memory = remainingFreeShare(request, fleet, 'memoryBytes');
    const disk = remainingFreeShare(request, fleet, 'diskBytes');
    const of = (index: number): number => balanceOf(vcpus(index), memory(index), disk(index));
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
