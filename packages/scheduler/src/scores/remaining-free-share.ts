import type { Dimension } from '../fleet/amounts.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import type { PlacementRequest } from '../request/placement-request.js';

/** Which share of a host's capacity would still be free with the VM on it; 0 where it has none of the dimension. */
export function remainingFreeShare(request: PlacementRequest, fleet: Fleet, dimension: Dimension) {
  const needed = request[dimension];
  const perCapacity = fleet.perCapacity[dimension];
  const free = fleet.free[dimension];
  return (index: number): number => (cell(free, index) - needed) * cell(perCapacity, index);
}
