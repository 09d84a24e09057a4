import type { Fleet } from './fleet/fleet.js';
import type { HostSet } from './fleet/host-set.js';
import type { FilterName } from './placement.js';
import type { PlacementRequest } from './request/placement-request.js';

/** One rule that a host must satisfy. One file per filter; they are asked in the order given in bind-rules.ts. */
export interface Filter {
  readonly name: FilterName;
  /**
   * Prepares the rule for one request, so that the scan over the hosts does the least work per host. null: the request
   * does not ask for it, and every host is admitted.
   */
  bind(request: PlacementRequest, fleet: Fleet): BoundFilter | null;
}

/** A rule with its request. Everything but `restrict` and `admits` is asked only to explain, about hosts not admitted. */
export interface BoundFilter {
  /** Takes the hosts that are not admitted out of the set. */
  restrict(hosts: HostSet): void;
  admits(index: number): boolean;
  /** What hosts like this one are counted as, in words that follow a number: "cordoned", "short of memory". */
  countedAs(index: number): string;
  /** The reason against this host. */
  reason(index: number): string;
  /** How far the host is from being admitted. Amounts: the missing share, at most 1. A person's decision: 1 or more. */
  distance(index: number): number;
  /** What would have to change, as an order: "uncordon host-a". */
  change(index: number): string;
  /** What dropping the rule would be called, where the request or a group may drop it: "drop the rack rule". */
  readonly dropped?: string;
  readonly amount?: AmountNeeded;
  /** The rule is so dear that only hosts that would be chosen are asked, the best first. */
  readonly isAskedLast?: boolean;
}

/** For filters about an amount: what is needed, what a host has free, and how either is written. */
export interface AmountNeeded {
  readonly needed: number;
  free(index: number): number;
  /** Writes an amount; what is free is rounded down and what is needed up, so that they never look equal. */
  format(amount: number, rounding: 'down' | 'up'): string;
}
