import { cell, type Fleet } from '../fleet/fleet.js';
import { type GroupMembers, groupsOf, leastCount, type Moved } from './group-members.js';
import type { PlacementRequest } from './placement-request.js';

/** Domains that with one more member would have more than the rule allows. */
export function fullDomains(members: GroupMembers, fleet: Fleet): Set<number> {
  const most = leastCount(members, fleet) + (members.group.skewMax ?? 1);
  const full = new Set<number>();
  for (const [domain, count] of members.countOf) if (count + 1 > most) full.add(domain);
  return full;
}

/** Whether the hard rules of the VM's groups admit a host, with VMs where they would be; null: there is no such rule. */
export function hardRulesOf(
  request: PlacementRequest,
  fleet: Fleet,
  moved?: Moved,
): ((index: number) => boolean) | null {
  const near = groupsOf(request, fleet, 'affinity', 'hard', moved).filter(({ countOf }) => countOf.size > 0);
  const far = groupsOf(request, fleet, 'anti-affinity', 'hard', moved);
  const even = groupsOf(request, fleet, 'spread', 'hard', moved).map((members) => ({
    domains: members.domains,
    full: fullDomains(members, fleet),
  }));
  if (near.length + far.length + even.length === 0) return null;
  return (index) =>
    near.every(({ domains, countOf }) => countOf.has(cell(domains.domainOf, index))) &&
    far.every(({ domains, countOf }) => {
      const domain = cell(domains.domainOf, index);
      return domain >= 0 && !countOf.has(domain);
    }) &&
    even.every(({ domains, full }) => {
      const domain = cell(domains.domainOf, index);
      return domain >= 0 && !full.has(domain);
    });
}
