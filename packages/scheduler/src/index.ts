export { type Amounts, amountsOf, DIMENSIONS, type Fleet, fleetOf, type HostRow, NO_AMOUNTS } from './fleet.js';
export { place } from './place.js';
export {
  FILTER_NAMES,
  type FilterName,
  type HostVerdict,
  MEMORY_OVERHEAD_BYTES_PER_VM,
  type Objection,
  type Placement,
  type PlacementRecord,
  type PlacementRequest,
  type PlacementScore,
  type Relaxation,
  SCORE_NAMES,
  type ScoreName,
  VERDICT_COUNT_MAX,
} from './placement.js';
