import type { Filter } from '../filter.js';

/** The request names its host: no other will do. */
export const requestedHost: Filter = {
  name: 'requested-host',
  bind(request, fleet) {
    const { hostId } = request;
    return {
      admits: (index) => hostId === null || fleet.hostIds[index] === hostId,
      countedAs: () => 'not the requested host',
      reason: () => 'another host was requested',
      distance: () => 1,
      change: (index) => `allow ${fleet.names[index]}`,
    };
  },
};
