import type { Filter } from '../filter.js';
import type { Dimension } from '../fleet/amounts.js';
import { cell } from '../fleet/fleet.js';
import { dropHosts, type HostSet } from '../fleet/host-set.js';
import type { FilterName } from '../placement.js';

/** Enough of one dimension is free. The capacity filters differ only in what they count and how it is called. */
export const capacityFilter = (
  name: FilterName,
  dimension: Dimension,
  noun: string,
  format: (amount: number, rounding: 'down' | 'up') => string,
): Filter => ({
  name,
  bind(request, fleet) {
    const needed = request[dimension];
    const column = fleet.free[dimension];
    const overdrawn = fleet.overdrawn[dimension];
    const free = (index: number) => Math.max(0, cell(column, index));
    return {
      // A host that has shrunk under its VMs admits not even a need of zero.
      restrict: (hosts) => (needed === 0 ? dropHosts(hosts, overdrawn) : keepWithFree(hosts, column, needed)),
      // The free amount is clamped only to explain.
      admits: (index) => cell(column, index) >= needed,
      countedAs: () => `short of ${noun}`,
      reason: (index) => `${format(needed, 'up')} of ${noun} needed, ${format(free(index), 'down')} free`,
      distance: (index) => (needed === 0 ? 1 : (needed - free(index)) / needed),
      change: (index) => `${format(needed - cell(column, index), 'up')} more of free ${noun} on ${fleet.names[index]}`,
      amount: { needed, free, format },
    };
  },
});

/** Only the hosts still in the set are read: after the rules that are sets, often few. */
function keepWithFree(hosts: HostSet, free: Float64Array, needed: number): void {
  for (let word = 0; word < hosts.length; word += 1) {
    let left = hosts[word] as number;
    if (left === 0) continue;
    let kept = left;
    const base = word << 5;
    while (left !== 0) {
      const bit = left & -left;
      if ((free[base + 31 - Math.clz32(bit)] as number) < needed) kept ^= bit;
      left ^= bit;
    }
    hosts[word] = kept;
  }
}
