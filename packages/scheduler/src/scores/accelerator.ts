import { type HostSet, hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import type { Score } from '../score.js';
import { ACCELERATOR_WEIGHT } from './score-amounts.js';

/** A request that takes any accelerator gets the fast one where there is one. */
export const acceleratorScore: Score = {
  name: 'accelerator',
  weight: ACCELERATOR_WEIGHT,
  bind(_request, fleet) {
    const kvm: HostSet = fleet.labels.of(LABEL.accelerator('kvm'));
    const of = (index: number): number => (hasHost(kvm, index) ? 1 : 0);
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
