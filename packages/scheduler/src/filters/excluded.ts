import type { Filter } from '../filter.js';
import { addHost, hostSetOf } from '../fleet/host-set.js';
import { allHostsBut } from './by-set.js';

/** More than any lack of room: the caller has seen this host fail. */
const EXCLUSION_DISTANCE = 2;

/** Hosts the caller has ruled out. */
export const excluded: Filter = {
  name: 'excluded',
  bind(request, fleet) {
    if (request.excludedHostIds.length === 0) return null;
    const rejected = hostSetOf(fleet.hostCount);
    for (const hostId of request.excludedHostIds) {
      const index = fleet.indexOf(hostId);
      if (index >= 0) addHost(rejected, index);
    }
    return {
      ...allHostsBut(rejected),
      countedAs: () => 'excluded by the request',
      reason: () => 'the request excludes this host',
      distance: () => EXCLUSION_DISTANCE,
      change: (index) => `stop excluding ${fleet.names[index]}`,
      dropped: 'exclude no hosts',
    };
  },
};
