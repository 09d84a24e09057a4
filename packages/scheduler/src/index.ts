export { chooseHost } from './choose-host.js';
export { type Amounts, amountsOf, DIMENSIONS, NO_AMOUNTS } from './fleet/amounts.js';
export { Fleet, type FleetFacts, fleetOf } from './fleet/fleet.js';
export type { HostGroup, HostRow, NumaNodeFree, PlacementGroup, Policy } from './fleet/host-row.js';
export { chooseReserving, place } from './place.js';
export { type BatchPlacement, placeBatch } from './place-batch.js';
export {
  FILTER_NAMES,
  type FilterName,
  type HostVerdict,
  type Objection,
  type Placement,
  type PlacementRecord,
  type PlacementScore,
  type Relaxation,
  type Remedy,
  SCORE_NAMES,
  type ScoreName,
  VERDICT_COUNT_MAX,
} from './placement.js';
export type { Move, PlanCost, Step } from './plan/move.js';
export { type Blocker, type DrainOptions, type DrainPlan, planDrain } from './plan/plan-drain.js';
export { planRebalance, type RebalanceOptions, type RebalancePlan } from './plan/plan-rebalance.js';
export { type Replay, replay } from './replay.js';
export { findContradictions } from './request/find-contradictions.js';
export type {
  GuestNodeNeed,
  NumaPlan,
  NumaShare,
  PlacedVm,
  PlacementRequest,
  SmtPolicy,
} from './request/placement-request.js';
export { planNuma } from './request/plan-numa.js';
export { countMore, type RoomForMore } from './what-if/count-more.js';
export { type Loss, loseDomain } from './what-if/lose-hosts.js';
export { LOSS_SET_COUNT_MAX, lossSetCount } from './what-if/losses.js';
