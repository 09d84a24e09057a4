import { type Amounts, cell, type Fleet } from '../fleet.js';
import type { PlacementRequest } from '../placement.js';

/** Which share of the host's capacity would still be free with the VM on it; 0 where it has none of the dimension. */
export function remainingFreeShare(
  fleet: Fleet,
  index: number,
  request: PlacementRequest,
  dimension: keyof Amounts,
): number {
  const capacity = cell(fleet.capacity[dimension], index);
  return capacity === 0 ? 0 : (cell(fleet.free[dimension], index) - request[dimension]) / capacity;
}
