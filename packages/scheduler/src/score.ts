import type { Fleet } from './fleet/fleet.js';
import type { ScoreName } from './placement.js';
import type { PlacementRequest } from './request/placement-request.js';

/** One opinion on how good a host is that fits. One file per score. */
export interface Score {
  readonly name: ScoreName;
  /** Against the other scores. */
  readonly weight: number;
  /** Prepares the score for one request. null: it has no opinion on this request, and counts as 0 on every host. */
  bind(request: PlacementRequest, fleet: Fleet): BoundScore | null;
}

export interface BoundScore {
  /** Between 0 and 1; more is better. */
  of(index: number): number;
  /**
   * Adds `weight * of(index)` to the total of each of the first `count` hosts. A loop of its own in each score, so that V8
   * compiles it for this score alone: one loop for all scores would call through a pointer, host by host.
   */
  addTo(totals: Float64Array, hosts: Int32Array, count: number, weight: number): void;
}
