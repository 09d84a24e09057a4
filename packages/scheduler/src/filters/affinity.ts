import type { Filter } from '../filter.js';
import { nameOfGroup } from '../fleet/host-row.js';
import { hasHost, keepHosts } from '../fleet/host-set.js';
import { groupsOf, hostsOf } from '../request/group-members.js';

/** Hard affinity: where the group has members, only their domains will do. */
export const affinity: Filter = {
  name: 'affinity',
  bind(request, fleet) {
    const rules = groupsOf(request, fleet, 'affinity', 'hard')
      .filter(({ countOf }) => countOf.size > 0)
      .map(({ group, domains, countOf }) => ({ group, admitted: hostsOf(domains, countOf.keys()) }));
    if (rules.length === 0) return null;
    const broken = (index: number) => rules.find(({ admitted }) => !hasHost(admitted, index))?.group;
    const brokenName = (index: number): string => nameOfGroup(broken(index));
    return {
      restrict: (hosts) => {
        for (const { admitted } of rules) keepHosts(hosts, admitted);
      },
      admits: (index) => rules.every(({ admitted }) => hasHost(admitted, index)),
      countedAs: (index) => `away from group ${brokenName(index)}`,
      reason: (index) => `group ${brokenName(index)} must stay on one ${broken(index)?.level}, and is on another`,
      distance: () => 1,
      change: (index) => `drop the ${broken(index)?.level} rule of group ${brokenName(index)}`,
      dropped: rules.map(({ group }) => `drop the ${group.level} rule of group ${nameOfGroup(group)}`).join(' and '),
    };
  },
};
