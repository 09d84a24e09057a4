import type { Filter } from '../filter.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The guest may run VMs of its own. */
export const nestedVirtualisation: Filter = {
  name: 'nested-virtualisation',
  bind(request, fleet) {
    if (request.needsNestedVirtualisation !== true) return null;
    return {
      ...allLabels(fleet, [{ label: LABEL.nestsVms, name: 'nested virtualisation' }], {
        missing: (names) => `without ${names}`,
        change: (_names, host) => `turn on nested virtualisation on ${host}`,
      }),
      dropped: 'do without nested virtualisation',
    };
  },
};
