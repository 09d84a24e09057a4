import type { Filter } from '../filter.js';
import { nameOfHostGroup } from '../fleet/host-row.js';
import { haReserveTrialOf } from '../what-if/ha-reserve-trial.js';
import { LOSS_SET_COUNT_MAX } from '../what-if/losses.js';

/**
 * With the VM on the host, its group could still lose any k hosts, and their highly available VMs would find a place in the
 * rest of the group. Really tried, loss by loss, with the same filters; so it is asked last, of hosts that would be chosen.
 */
export const haReserve: Filter = {
  name: 'ha-reserve',
  bind(request, fleet) {
    if (!fleet.hasHaReserve) return null;
    const groupOf = (index: number) => fleet.hostGroups.get(fleet.rowOf(index).hostGroupId ?? '');
    const verdictOn = (index: number): string | null => {
      const group = groupOf(index);
      if (group === undefined || group.haReserveHostCount === 0) return null;
      return haReserveTrialOf(fleet, group).objection(request, index);
    };
    return {
      isAskedLast: true,
      restrict: () => {},
      admits: (index) => verdictOn(index) === null,
      countedAs: (index) => `in host group ${nameOfHostGroup(groupOf(index))}, which would lose its HA reserve`,
      reason: (index) => verdictOn(index) ?? `at most ${LOSS_SET_COUNT_MAX} losses can be tried`,
      distance: () => 1,
      change: (index) => `add a host to group ${nameOfHostGroup(groupOf(index))}, or lower its HA reserve`,
      dropped: 'lower the HA reserve',
    };
  },
};
