import { bindFilters, type NamedFilter } from './bind-rules.js';
import type { Fleet } from './fleet.js';
import type { PlacementRequest } from './placement.js';

/** Everything one decision is made from. */
export interface Scan {
  readonly request: PlacementRequest;
  readonly fleet: Fleet;
  readonly filters: readonly NamedFilter[];
  /** Per host the filter that rejects it first, counted from 1, or FITS. */
  readonly rejectedBy: Uint8Array;
}

/** In `rejectedBy`: no filter rejects the host. */
export const FITS = 0;

/** One filter after the other over all hosts, so that each reads its own column from end to end. */
export function scanHosts(request: PlacementRequest, fleet: Fleet): Scan {
  const filters = bindFilters(request, fleet);
  const rejectedBy = new Uint8Array(fleet.hostCount);
  for (const [at, filter] of filters.entries()) {
    for (let index = 0; index < fleet.hostCount; index += 1) {
      if (rejectedBy[index] === FITS && !filter.admits(index)) rejectedBy[index] = at + 1;
    }
  }
  return { request, fleet, filters, rejectedBy };
}
