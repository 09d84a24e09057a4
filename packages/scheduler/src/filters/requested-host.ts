import type { Filter } from '../filter.js';
import { addHost, hasHost } from '../fleet/host-set.js';

/** The request names its host: no other will do. */
export const requestedHost: Filter = {
  name: 'requested-host',
  bind(request, fleet) {
    const { hostId } = request;
    if (hostId === null) return null;
    const requested = fleet.indexOf(hostId);
    return {
      restrict: (hosts) => {
        const isThere = requested >= 0 && hasHost(hosts, requested);
        hosts.fill(0);
        if (isThere) addHost(hosts, requested);
      },
      admits: (index) => index === requested,
      countedAs: () => 'not the requested host',
      reason: () => 'another host was requested',
      distance: () => 1,
      change: (other) => `allow ${fleet.names[other]}`,
      dropped: 'allow any host',
    };
  },
};
