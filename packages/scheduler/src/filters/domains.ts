import type { Filter } from '../filter.js';
import { hasHost, keepHosts } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';

/** The host is in one of the zones, racks or other domains that the request allows, at each level it names. */
export const domains: Filter = {
  name: 'domains',
  bind(request, fleet) {
    const levels = Object.entries(request.domains ?? {}).map(([level, names]) => {
      const allowed = fleet.labels.anyOf(names.map((name) => LABEL.domain(level, name)));
      return { level, names: names.join(' or '), allowed };
    });
    if (levels.length === 0) return null;
    const wrong = (index: number) => levels.find(({ allowed }) => !hasHost(allowed, index));
    return {
      restrict: (hosts) => {
        for (const { allowed } of levels) keepHosts(hosts, allowed);
      },
      admits: (index) => levels.every(({ allowed }) => hasHost(allowed, index)),
      countedAs: (index) => `outside ${wrong(index)?.level} ${wrong(index)?.names}`,
      reason: (index) => `the host is outside ${wrong(index)?.level} ${wrong(index)?.names}`,
      distance: () => 1,
      change: (index) => `allow the ${wrong(index)?.level} of ${fleet.names[index]}`,
      dropped: `allow any ${levels.map(({ level }) => level).join(' and ')}`,
    };
  },
};
