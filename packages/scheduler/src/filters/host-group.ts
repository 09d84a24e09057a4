import type { Filter } from '../filter.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The host is of the group asked for. */
export const hostGroup: Filter = {
  name: 'host-group',
  bind({ hostGroupId }, fleet) {
    if (hostGroupId === undefined) return null;
    return {
      ...allLabels(fleet, [{ label: LABEL.hostGroup(hostGroupId), name: hostGroupId }], {
        missing: (names) => `outside host group ${names}`,
        change: (_names, host) => `allow the host group of ${host}`,
      }),
      dropped: 'allow any host group',
    };
  },
};
