import type { Filter } from '../filter.js';
import { cell } from '../fleet/fleet.js';
import { nameOfGroup } from '../fleet/host-row.js';
import { dropDomains, groupsOf } from '../request/group-members.js';
import { fullDomains } from '../request/group-rules.js';

/**
 * Hard spread: with the VM, its domain may have at most `skewMax` members more than the open domain that has fewest. A VM
 * that moves is not counted where it is.
 */
export const spread: Filter = {
  name: 'spread',
  bind(request, fleet) {
    const rules = groupsOf(request, fleet, 'spread', 'hard').map((members) => {
      const { group, domains } = members;
      return { group, domains, full: fullDomains(members, fleet) };
    });
    if (rules.length === 0) return null;
    const broken = (index: number) =>
      rules.find(({ domains, full }) => {
        const domain = cell(domains.domainOf, index);
        return domain < 0 || full.has(domain);
      })?.group;
    const brokenName = (index: number): string => nameOfGroup(broken(index));
    return {
      restrict: (hosts) => {
        for (const { domains, full } of rules) dropDomains(hosts, domains, full);
      },
      admits: (index) => broken(index) === undefined,
      countedAs: (index) => `in a full ${broken(index)?.level} of group ${brokenName(index)}`,
      reason: (index) => `group ${brokenName(index)} would be too uneven over its ${broken(index)?.level}s`,
      distance: () => 1,
      change: (index) => `drop the ${broken(index)?.level} rule of group ${brokenName(index)}`,
      dropped: rules.map(({ group }) => `drop the ${group.level} rule of group ${nameOfGroup(group)}`).join(' and '),
    };
  },
};
