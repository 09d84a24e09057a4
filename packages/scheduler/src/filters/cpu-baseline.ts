import type { Filter } from '../filter.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The host can show a guest the CPU model asked for, so that the VM can move among all hosts that can. */
export const cpuBaseline: Filter = {
  name: 'cpu-baseline',
  bind({ cpuBaseline: baseline }, fleet) {
    if (baseline === undefined) return null;
    return {
      ...allLabels(fleet, [{ label: LABEL.cpuBaseline(baseline), name: baseline }], {
        missing: (names) => `without CPU baseline ${names}`,
        change: () => `ask for a lower CPU baseline than ${baseline}`,
      }),
      dropped: `ask for a lower CPU baseline than ${baseline}`,
    };
  },
};
