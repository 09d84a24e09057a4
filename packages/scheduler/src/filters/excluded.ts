import type { Filter } from '../filter.js';
import { dropHost } from '../fleet/host-set.js';

/** More than any lack of room: the caller has seen this host fail. */
const EXCLUSION_DISTANCE = 2;

/** Hosts the caller has ruled out. */
export const excluded: Filter = {
  name: 'excluded',
  bind(request, fleet) {
    if (request.excludedHostIds.length === 0) return null;
    const rejected = request.excludedHostIds.map((hostId) => fleet.indexOf(hostId)).filter((index) => index >= 0);
    return {
      restrict: (hosts) => {
        for (const index of rejected) dropHost(hosts, index);
      },
      admits: (index) => !rejected.includes(index),
      countedAs: () => 'excluded by the request',
      reason: () => 'the request excludes this host',
      distance: () => EXCLUSION_DISTANCE,
      change: (index) => `stop excluding ${fleet.names[index]}`,
      dropped: 'exclude no hosts',
    };
  },
};
