import type { Filter } from '../filter.js';
import type { Fleet } from '../fleet/fleet.js';
import { addHosts, dropHosts, hasHost } from '../fleet/host-set.js';
import { type GroupMembers, groupsOf, hostsOf, hostsOfUnknownDomain, leastCount } from '../request/group-members.js';

/**
 * Hard spread: with the VM, its domain may have at most `skewMax` members more than the open domain that has fewest. A VM
 * that moves is not counted where it is.
 */
export const spread: Filter = {
  name: 'spread',
  bind(request, fleet) {
    const rules = groupsOf(request, fleet, 'spread', 'hard').map((members) => {
      const rejected = hostsOf(members.domains, fullDomains(members, fleet));
      addHosts(rejected, hostsOfUnknownDomain(members.domains));
      return { group: members.group, rejected };
    });
    if (rules.length === 0) return null;
    const broken = (index: number) => rules.find(({ rejected }) => hasHost(rejected, index))?.group;
    return {
      restrict: (hosts) => {
        for (const { rejected } of rules) dropHosts(hosts, rejected);
      },
      admits: (index) => !rules.some(({ rejected }) => hasHost(rejected, index)),
      countedAs: (index) => `in a full ${broken(index)?.level} of group ${broken(index)?.groupId}`,
      reason: (index) => `group ${broken(index)?.groupId} would be too uneven over its ${broken(index)?.level}s`,
      distance: () => 1,
      change: (index) => `drop the ${broken(index)?.level} rule of group ${broken(index)?.groupId}`,
      dropped: rules.map(({ group }) => `drop the ${group.level} rule of group ${group.groupId}`).join(' and '),
    };
  },
};

function fullDomains(members: GroupMembers, fleet: Fleet): number[] {
  const most = leastCount(members, fleet) + (members.group.skewMax ?? 1);
  return [...members.countOf].filter(([, count]) => count + 1 > most).map(([domain]) => domain);
}
