import { bindFilters, bindThese, type NamedFilter } from './bind-rules.js';
import type { Filter } from './filter.js';
import type { Fleet } from './fleet/fleet.js';
import { countHosts, fillHosts, type HostSet, hasHost, hostSetOf, keepHosts } from './fleet/host-set.js';
import type { PlacementRequest } from './request/placement-request.js';

/** Everything one decision is made from. */
export interface Scan {
  readonly request: PlacementRequest;
  readonly fleet: Fleet;
  /** Only these were looked at; undefined: all. */
  readonly within: HostSet | undefined;
  readonly filters: readonly NamedFilter[];
  /** Hosts that no filter rejects, except perhaps one that is asked last. */
  readonly fitting: HostSet;
  /** Per filter how many hosts it was the first to reject. */
  readonly rejectedCounts: number[];
}

export interface ScanOptions {
  /** Only these are looked at. */
  readonly within?: HostSet;
  /** Rules that are too dear to ask of every host; see `BoundFilter.isAskedLast`. */
  readonly askedLast?: readonly Filter[];
}

/** One filter after the other, each on the hosts that those before it have left. */
export function scanHosts(request: PlacementRequest, fleet: Fleet, options: ScanOptions = {}): Scan {
  const { within, askedLast = [] } = options;
  const filters = [...bindFilters(request, fleet), ...bindThese(askedLast, request, fleet)];
  const fitting = hostSetOf(fleet.hostCount);
  fillHosts(fitting, fleet.hostCount);
  if (within !== undefined) keepHosts(fitting, within);
  const rejectedCounts: number[] = [];
  let left = countHosts(fitting);
  for (const filter of filters) {
    if (filter.isAskedLast !== true) filter.restrict(fitting);
    const after = countHosts(fitting);
    rejectedCounts.push(left - after);
    left = after;
  }
  return { request, fleet, within, filters, fitting, rejectedCounts };
}

/** The host does not fit, and was looked at. */
export const isRejected = ({ within, fitting }: Scan, index: number): boolean =>
  !hasHost(fitting, index) && (within === undefined || hasHost(within, index));

/** Per host the first filter that rejects it, by its place in `filters`, and FITS for those that fit. To explain with. */
export const FITS = -1;
export const firstObjector = ({ filters }: Scan, index: number): number =>
  filters.findIndex((filter) => !filter.admits(index));
