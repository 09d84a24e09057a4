import type { Filter } from '../filter.js';
import { type Amounts, cell } from '../fleet.js';
import type { FilterName } from '../placement.js';

/** Enough of one dimension is free. The capacity filters differ only in what they count and how it is called. */
export const capacityFilter = (
  name: FilterName,
  dimension: keyof Amounts,
  noun: string,
  format: (amount: number, rounding: 'down' | 'up') => string,
): Filter => ({
  name,
  bind(request, fleet) {
    const needed = request[dimension];
    const column = fleet.free[dimension];
    const free = (index: number) => Math.max(0, cell(column, index));
    return {
      // The free amount is clamped only to explain: a host that has shrunk under its VMs admits not even a need of zero.
      admits: (index) => cell(column, index) >= needed,
      countedAs: () => `short of ${noun}`,
      reason: (index) => `${format(needed, 'up')} of ${noun} needed, ${format(free(index), 'down')} free`,
      distance: (index) => (needed === 0 ? 1 : (needed - free(index)) / needed),
      change: (index) => `${format(needed - cell(column, index), 'up')} more of free ${noun} on ${fleet.names[index]}`,
      amount: { needed, free, format },
    };
  },
});
