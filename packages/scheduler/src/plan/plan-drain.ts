import type { Fleet } from '../fleet/fleet.js';
import { type HostSet, keepHosts, membersOf } from '../fleet/host-set.js';
import { place } from '../place.js';
import type { PlacedVm } from '../request/placement-request.js';
import { requestToMove } from '../what-if/recover-vms.js';
import { costOf, type PlanCost, type Step } from './move.js';
import { anchorOf, hostsBut, type MoveUnit, moveUnit, targetsFor, unitsOn } from './move-unit.js';
import { searchMoves } from './search-moves.js';
import { type Trial, tried } from './trial.js';

export interface DrainOptions {
  readonly moveCountMax?: number;
  /** How many states the search may look at, when moving each VM by itself was not enough. */
  readonly stateCountMax?: number;
  /** Only these hosts take VMs. */
  readonly within?: HostSet;
  readonly reason?: string;
}

const MOVE_COUNT_MAX = 500;
const STATE_COUNT_MAX = 5000;
/** Hosts on which room is made by moving another VM away. */
const ROOM_HOST_COUNT_MAX = 16;

/** What keeps a host from being drained. */
export interface Blocker {
  readonly vmId: string;
  readonly reason: string;
}

export type DrainPlan =
  | { readonly kind: 'nothing-to-do' }
  | { readonly kind: 'plan'; readonly steps: readonly Step[]; readonly cost: PlanCost }
  /** `isProven`: no order of moves would do; otherwise none was found within the bounds. */
  | { readonly kind: 'blocked'; readonly blockers: readonly Blocker[]; readonly isProven: boolean };

/**
 * The moves that empty a host, in an order in which every step fits and no step breaks a hard rule. Blockers are named
 * instead of a plan that would end half way. The reserve for lost hosts may be used: a drained host is lost for a while.
 * Throws RangeError if there is no such host.
 */
export function planDrain(fleet: Fleet, hostId: string, options: DrainOptions = {}): DrainPlan {
  const index = fleet.indexOf(hostId);
  if (index < 0) throw new RangeError(`host ${hostId} is not in the fleet`);
  const units = unitsOn(fleet, hostId);
  if (units.length === 0) return { kind: 'nothing-to-do' };
  const anchored = units.flatMap((unit) => {
    const anchor = anchorOf(unit);
    return anchor === null ? [] : [{ vmId: unit[0]?.vmId ?? '', reason: anchor }];
  });
  if (anchored.length > 0) return { kind: 'blocked', blockers: anchored, isProven: true };
  const { moveCountMax = MOVE_COUNT_MAX, reason = `host ${fleet.names[index]} is drained` } = options;
  const within = hostsBut(fleet, index);
  if (options.within !== undefined) keepHosts(within, options.within);
  const simple = tried(fleet, (trial) => moveEach(trial, units, within, reason));
  if (simple.blockers.length === 0 && costOf(simple.steps).moveCount <= moveCountMax) return asPlan(simple.steps);
  const isEmpty = (now: Fleet): boolean => now.vms.countOnHost(hostId) === 0;
  const bounds = { moveCountMax, stateCountMax: options.stateCountMax ?? STATE_COUNT_MAX };
  const search = searchMoves(fleet, within, isEmpty, reason, bounds);
  if (search.kind === 'found') return asPlan(search.steps);
  const tooMany = { vmId: '', reason: `more than the ${moveCountMax} moves allowed are needed` };
  const blockers = simple.blockers.length > 0 ? simple.blockers : [tooMany];
  return { kind: 'blocked', blockers, isProven: search.kind === 'none' };
}

const asPlan = (steps: readonly Step[]): DrainPlan => ({ kind: 'plan', steps, cost: costOf(steps) });

/** Each unit to its best host; where none takes it, another VM is moved out of its way. */
function moveEach(
  trial: Trial,
  units: readonly MoveUnit[],
  within: HostSet,
  reason: string,
): { readonly steps: Step[]; readonly blockers: Blocker[] } {
  const steps: Step[] = [];
  const blockers: Blocker[] = [];
  for (const unit of units) {
    const found = moveToBest(trial, unit, within, reason) ?? makeRoom(trial, unit, within, reason);
    if (found !== null) steps.push(...found);
    else blockers.push(blockerOf(trial, unit, within));
  }
  return { steps, blockers };
}

function moveToBest(trial: Trial, unit: MoveUnit, within: HostSet, reason: string): Step[] | null {
  for (const to of targetsFor(trial, unit, within)) {
    const moves = moveUnit(trial, unit, to, reason);
    if (moves !== null) return [{ moves }];
  }
  return null;
}

/** Moves one other unit away from a host, so that this one fits there. */
function makeRoom(trial: Trial, unit: MoveUnit, within: HostSet, reason: string): Step[] | null {
  const { fleet } = trial;
  const own = new Set(unit.map(({ vmId }) => vmId));
  for (const host of [...membersOf(within)].sort((a, b) => byFreeMemory(fleet, a, b)).slice(0, ROOM_HOST_COUNT_MAX)) {
    const others = hostsBut(fleet, host);
    keepHosts(others, within);
    for (const other of unitsOn(fleet, fleet.hostIds[host] as string).toReversed()) {
      if (anchorOf(other) !== null || other.some(({ vmId }) => own.has(vmId))) continue;
      const { mark } = trial;
      const away = moveToBest(trial, other, others, `makes room for VM ${unit[0]?.vmId}`);
      const moves = away === null ? null : moveUnit(trial, unit, host, reason);
      if (away !== null && moves !== null) return [...away, { moves }];
      trial.rollback(mark);
    }
  }
  return null;
}

const byFreeMemory = (fleet: Fleet, left: number, right: number): number =>
  (fleet.free.memoryBytes[right] as number) - (fleet.free.memoryBytes[left] as number) || left - right;

function blockerOf(trial: Trial, unit: MoveUnit, within: HostSet): Blocker {
  const [first] = unit as readonly [PlacedVm];
  const { mark } = trial;
  for (const { vmId } of unit) trial.vacate(vmId);
  const { record } = place(requestToMove(first), trial.fleet, { within, usesHaReserve: true });
  trial.rollback(mark);
  const together = unit.length > 1 ? `${unit.length} VMs that must stay on one host: ` : '';
  return { vmId: first.vmId, reason: `${together}${record.summary}` };
}
