import type { Filter } from '../filter.js';

/** The request names its host: no other will do. */
export const requestedHost: Filter = {
  name: 'requested-host',
  bind(request, fleet) {
    const { hostId } = request;
    if (hostId === null) return null;
    const requested = fleet.hostIds.indexOf(hostId);
    return {
      admits: (index) => index === requested,
      countedAs: () => 'not the requested host',
      reason: () => 'another host was requested',
      distance: () => 1,
      change: (index) => `allow ${fleet.names[index]}`,
    };
  },
};
