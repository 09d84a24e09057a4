import type { Fleet } from './fleet.js';
import type { PlacementRequest, ScoreName } from './placement.js';

/** One opinion on how good a host is that fits. One file per score. */
export interface Score {
  readonly name: ScoreName;
  /** Against the other scores. */
  readonly weight: number;
  /** Between 0 and 1; more is better. */
  of(fleet: Fleet, index: number, request: PlacementRequest): number;
}
