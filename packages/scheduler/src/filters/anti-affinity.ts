import type { Filter } from '../filter.js';
import { addHosts, dropHosts, hasHost } from '../fleet/host-set.js';
import { groupsOf, hostsOf, hostsOfUnknownDomain } from '../request/group-members.js';

/** Hard anti-affinity: no domain that has a member already; nor a host whose domain nobody has told. */
export const antiAffinity: Filter = {
  name: 'anti-affinity',
  bind(request, fleet) {
    const rules = groupsOf(request, fleet, 'anti-affinity', 'hard').map(({ group, domains, countOf }) => {
      const rejected = hostsOf(domains, countOf.keys());
      const unknown = hostsOfUnknownDomain(domains);
      addHosts(rejected, unknown);
      return { group, rejected, unknown };
    });
    if (rules.length === 0) return null;
    const broken = (index: number) => rules.find(({ rejected }) => hasHost(rejected, index));
    const reason = (index: number): string => {
      const rule = broken(index);
      return rule !== undefined && hasHost(rule.unknown, index)
        ? `the ${rule.group.level} of the host is not known`
        : `group ${rule?.group.groupId} has a VM on this ${rule?.group.level}`;
    };
    return {
      restrict: (hosts) => {
        for (const { rejected } of rules) dropHosts(hosts, rejected);
      },
      admits: (index) => !rules.some(({ rejected }) => hasHost(rejected, index)),
      countedAs: (index) => `beside group ${broken(index)?.group.groupId}`,
      reason,
      distance: () => 1,
      change: (index) => `drop the ${broken(index)?.group.level} rule of group ${broken(index)?.group.groupId}`,
      dropped: rules.map(({ group }) => `drop the ${group.level} rule of group ${group.groupId}`).join(' and '),
    };
  },
};
