import type { BoundFilter } from '../filter.js';
import type { Fleet } from '../fleet/fleet.js';
import { hasHost, keepHosts } from '../fleet/host-set.js';

/** One label a host must have, and how it is called: `{ label: 'network:n1', name: 'network n1' }`. */
export interface NeededLabel {
  readonly label: string;
  readonly name: string;
}

/** A rule that admits the hosts that have all of the labels. `missing` puts names into words: "without network n1". */
export function allLabels(
  fleet: Fleet,
  needed: readonly NeededLabel[],
  words: { readonly missing: (names: string) => string; readonly change: (names: string, host: string) => string },
): BoundFilter {
  const sets = needed.map(({ label, name }) => ({ set: fleet.labels.of(label), name }));
  const missing = (index: number): string =>
    sets
      .filter(({ set }) => !hasHost(set, index))
      .map(({ name }) => name)
      .join(' and ');
  return {
    restrict: (hosts) => {
      for (const { set } of sets) keepHosts(hosts, set);
    },
    admits: (index) => sets.every(({ set }) => hasHost(set, index)),
    countedAs: (index) => words.missing(missing(index)),
    reason: (index) => `the host is ${words.missing(missing(index))}`,
    distance: () => 2,
    change: (index) => words.change(missing(index), fleet.names[index] as string),
  };
}
