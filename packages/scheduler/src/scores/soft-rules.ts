import { cell, type Fleet } from '../fleet/fleet.js';
import { type GroupMembers, groupsOf, leastCount, type Moved } from '../request/group-members.js';
import type { PlacementRequest } from '../request/placement-request.js';
import type { Score } from '../score.js';

/** A wish of the owner goes before a saving of room, and after the accelerator. */
export const SOFT_RULES_WEIGHT = 4;

/**
 * The mean over the soft rules of the VM's groups. Affinity: 1 in a domain with members, or where the group has none yet;
 * anti-affinity: 1 / (1 + members in the domain); spread: 1 / (1 + members more than in the emptiest open domain).
 */
export const softRules: Score = {
  name: 'soft-rules',
  weight: SOFT_RULES_WEIGHT,
  bind(request, fleet) {
    const of = softOpinionOf(request, fleet);
    if (of === null) return null;
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

/** With VMs where they would be; null: the VM has no soft rule. */
export function softOpinionOf(
  request: PlacementRequest,
  fleet: Fleet,
  moved?: Moved,
): ((index: number) => number) | null {
  const rules: ((index: number) => number)[] = [];
  for (const kind of KINDS)
    for (const members of groupsOf(request, fleet, kind, 'soft', moved)) rules.push(opinionOf(members, fleet));
  if (rules.length === 0) return null;
  return (index) => {
    let sum = 0;
    for (const rule of rules) sum += rule(index);
    return sum / rules.length;
  };
}

const KINDS = ['affinity', 'anti-affinity', 'spread'] as const;

function opinionOf(members: GroupMembers, fleet: Fleet): (index: number) => number {
  const { group, domains, countOf } = members;
  const countAt = (index: number): number => countOf.get(cell(domains.domainOf, index)) ?? 0;
  if (group.kind === 'affinity') return (index) => (countOf.size === 0 || countAt(index) > 0 ? 1 : 0);
  const least = group.kind === 'spread' ? leastCount(members, fleet) : 0;
  return (index) => 1 / (1 + Math.max(0, countAt(index) - least));
}
