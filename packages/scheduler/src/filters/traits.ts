import type { BoundFilter, Filter } from '../filter.js';
import { dropHosts, hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The host has every trait required and none that is forbidden. */
export const traits: Filter = {
  name: 'traits',
  bind({ requiredTraits = [], forbiddenTraits = [] }, fleet) {
    if (requiredTraits.length + forbiddenTraits.length === 0) return null;
    const required = allLabels(
      fleet,
      requiredTraits.map((trait) => ({ label: LABEL.trait(trait), name: trait })),
      { missing: (names) => `without trait ${names}`, change: (names) => `do not require trait ${names}` },
    );
    const forbidden = forbiddenTraits.map((trait) => ({ trait, set: fleet.labels.of(LABEL.trait(trait)) }));
    const present = (index: number): string =>
      forbidden
        .filter(({ set }) => hasHost(set, index))
        .map(({ trait }) => trait)
        .join(' and ');
    const explain = (say: 'countedAs' | 'reason' | 'change', index: number, otherwise: string): string =>
      required.admits(index) ? otherwise : required[say](index);
    const bound: BoundFilter = {
      restrict: (hosts) => {
        required.restrict(hosts);
        for (const { set } of forbidden) dropHosts(hosts, set);
      },
      admits: (index) => required.admits(index) && !forbidden.some(({ set }) => hasHost(set, index)),
      countedAs: (index) => explain('countedAs', index, `with forbidden trait ${present(index)}`),
      reason: (index) => explain('reason', index, `the host has the forbidden trait ${present(index)}`),
      distance: () => 2,
      change: (index) => explain('change', index, `allow trait ${present(index)}`),
      dropped: 'drop the traits',
    };
    return bound;
  },
};
