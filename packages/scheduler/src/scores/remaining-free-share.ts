import { type Amounts, cell, type Fleet } from '../fleet.js';
import type { PlacementRequest } from '../placement.js';

/** Which share of a host's capacity would still be free with the VM on it; 0 where it has none of the dimension. */
export function remainingFreeShare(request: PlacementRequest, fleet: Fleet, dimension: keyof Amounts) {
  const needed = request[dimension];
  const capacities = fleet.capacity[dimension];
  const free = fleet.free[dimension];
  return (index: number): number => {
    const capacity = cell(capacities, index);
    return capacity === 0 ? 0 : (cell(free, index) - needed) / capacity;
  };
}
