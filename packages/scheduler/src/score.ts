import type { Fleet } from './fleet.js';
import type { PlacementRequest, ScoreName } from './placement.js';

/** One opinion on how good a host is that fits. One file per score. */
export interface Score {
  readonly name: ScoreName;
  /** Against the other scores. */
  readonly weight: number;
  /** Prepares the score for one request: the function returned is between 0 and 1 for a host; more is better. */
  bind(request: PlacementRequest, fleet: Fleet): (index: number) => number;
}
