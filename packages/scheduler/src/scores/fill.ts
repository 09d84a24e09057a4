import { cell } from '../fleet/fleet.js';
import type { Score } from '../score.js';
import { remainingFreeShare } from './remaining-free-share.js';
import { FILL_WEIGHT, fillOf } from './score-amounts.js';

/**
 * With `mean` the mean of the shares left free of vCPUs, memory and disk, by the policy of the host's group:
 * `pack` 1 - mean, so that whole hosts stay free for large VMs and for draining; `spread` mean, so that a lost host takes
 * few VMs with it; `balanced` 1/2 on every host, so that shape alone decides.
 */
export const fill: Score = {
  name: 'fill',
  weight: FILL_WEIGHT,
  bind(request, fleet) {
    const vcpus = remainingFreeShare(request, fleet, 'vcpuCount');
    const memory = remainingFreeShare(request, fleet, 'memoryBytes');
    const disk = remainingFreeShare(request, fleet, 'diskBytes');
    const { policies } = fleet;
    const of = (index: number): number => fillOf(cell(policies, index), vcpus(index), memory(index), disk(index));
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
