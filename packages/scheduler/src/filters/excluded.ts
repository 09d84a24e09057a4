import type { Filter } from '../filter.js';

/** More than any lack of room: the caller has seen this host fail. */
const EXCLUSION_DISTANCE = 2;

/** Hosts the caller has ruled out. */
export const excluded: Filter = {
  name: 'excluded',
  bind(request, fleet) {
    if (request.excludedHostIds.length === 0) return null;
    const indexes = new Set(request.excludedHostIds.map((hostId) => fleet.hostIds.indexOf(hostId)));
    return {
      admits: (index) => !indexes.has(index),
      countedAs: () => 'excluded by the request',
      reason: () => 'the request excludes this host',
      distance: () => EXCLUSION_DISTANCE,
      change: (index) => `stop excluding ${fleet.names[index]}`,
    };
  },
};
