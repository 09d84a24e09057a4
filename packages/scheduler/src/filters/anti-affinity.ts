import type { Filter } from '../filter.js';
import { cell } from '../fleet/fleet.js';
import { nameOfGroup } from '../fleet/host-row.js';
import { dropDomains, groupsOf } from '../request/group-members.js';

/** Hard anti-affinity: no domain that has a member already; nor a host whose domain nobody has told. */
export const antiAffinity: Filter = {
  name: 'anti-affinity',
  bind(request, fleet) {
    const rules = groupsOf(request, fleet, 'anti-affinity', 'hard');
    if (rules.length === 0) return null;
    const broken = (index: number) =>
      rules.find(({ domains, countOf }) => {
        const domain = cell(domains.domainOf, index);
        return domain < 0 || countOf.has(domain);
      });
    const brokenName = (index: number): string => nameOfGroup(broken(index)?.group);
    const reason = (index: number): string => {
      const rule = broken(index);
      return rule !== undefined && cell(rule.domains.domainOf, index) < 0
        ? `the ${rule.group.level} of the host is not known`
        : `group ${brokenName(index)} has a VM on this ${rule?.group.level}`;
    };
    return {
      restrict: (hosts) => {
        for (const { domains, countOf } of rules) dropDomains(hosts, domains, countOf);
      },
      admits: (index) => broken(index) === undefined,
      countedAs: (index) => `beside group ${brokenName(index)}`,
      reason,
      distance: () => 1,
      change: (index) => `drop the ${broken(index)?.group.level} rule of group ${brokenName(index)}`,
      dropped: rules.map(({ group }) => `drop the ${group.level} rule of group ${nameOfGroup(group)}`).join(' and '),
    };
  },
};
