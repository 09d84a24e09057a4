import type { Filter } from '../filter.js';
import { addHost, hostSetOf } from '../fleet/host-set.js';
import { onlyHosts } from './by-set.js';

/** The request names its host: no other will do. */
export const requestedHost: Filter = {
  name: 'requested-host',
  bind(request, fleet) {
    const { hostId } = request;
    if (hostId === null) return null;
    const requested = hostSetOf(fleet.hostCount);
    const index = fleet.indexOf(hostId);
    if (index >= 0) addHost(requested, index);
    return {
      ...onlyHosts(requested),
      countedAs: () => 'not the requested host',
      reason: () => 'another host was requested',
      distance: () => 1,
      change: (other) => `allow ${fleet.names[other]}`,
      dropped: 'allow any host',
    };
  },
};
