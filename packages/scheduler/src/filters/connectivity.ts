import type { Filter } from '../filter.js';
import { LABEL } from '../fleet/labels.js';
import { onlyHosts } from './by-set.js';

/** Only hosts whose agent reports: what an unreachable one still has free is not known. */
export const connectivity: Filter = {
  name: 'connectivity',
  bind(_request, fleet) {
    return {
      ...onlyHosts(fleet.labels.of(LABEL.connected)),
      countedAs: () => 'unreachable',
      reason: () => 'the agent of the host does not report',
      distance: () => 1,
      change: (index) => `bring back the agent of ${fleet.names[index]}`,
    };
  },
};
