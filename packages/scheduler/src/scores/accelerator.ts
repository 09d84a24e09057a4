import { type HostSet, hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import type { Score } from '../score.js';

/** More than all other scores together: no saving of room is worth emulation, which is 10 to 50 times slower. */
const WEIGHT = 10;

/** A request that takes any accelerator gets the fast one where there is one. */
export const acceleratorScore: Score = {
  name: 'accelerator',
  weight: WEIGHT,
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
