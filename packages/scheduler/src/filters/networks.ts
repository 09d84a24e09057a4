import type { Filter } from '../filter.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The host reaches every network the VM has a port in. */
export const networks: Filter = {
  name: 'networks',
  bind({ networkIds = [] }, fleet) {
    if (networkIds.length === 0) return null;
    const needed = networkIds.map((networkId) => ({ label: LABEL.network(networkId), name: networkId }));
    return allLabels(fleet, needed, {
      missing: (names) => `without network ${names}`,
      change: (names, host) => `connect ${host} to network ${names}`,
    });
  },
};
