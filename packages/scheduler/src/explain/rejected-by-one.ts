import type { NamedFilter } from '../bind-rules.js';
import type { Fleet } from '../fleet/fleet.js';
import { addHosts, dropHosts, fillHosts, type HostSet, hostSetOf, keepHosts } from '../fleet/host-set.js';
import type { Scan } from '../scan-hosts.js';

export interface RejectedByOne {
  readonly filter: NamedFilter;
  /** Hosts that this filter rejects and no other. */
  readonly hosts: HostSet;
}

/** Sets of what each filter admits, met from both ends, so that it costs two passes and not one per pair of filters. */
export function rejectedByOneAlone({ filters, fleet }: Scan): RejectedByOne[] {
  const asked = filters.filter((filter) => filter.isAskedLast !== true);
  const admitted = asked.map((filter) => {
    const set = allHosts(fleet);
    filter.restrict(set);
    return set;
  });
  const before = [allHosts(fleet)];
  for (const [at, set] of admitted.entries()) before.push(meet(before[at] as HostSet, set));
  let after = allHosts(fleet);
  const found: RejectedByOne[] = [];
  for (let at = asked.length - 1; at >= 0; at -= 1) {
    const hosts = meet(before[at] as HostSet, after);
    dropHosts(hosts, admitted[at] as HostSet);
    found.unshift({ filter: asked[at] as NamedFilter, hosts });
    after = meet(after, admitted[at] as HostSet);
  }
  return found;
}

function allHosts(fleet: Fleet): HostSet {
  const set = hostSetOf(fleet.hostCount);
  fillHosts(set, fleet.hostCount);
  return set;
}

function meet(left: HostSet, right: HostSet): HostSet {
  const both = hostSetOf(left.length * 32);
  addHosts(both, left);
  keepHosts(both, right);
  return both;
}
