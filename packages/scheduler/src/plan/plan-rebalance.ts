import { cell, type Fleet } from '../fleet/fleet.js';
import { type HostSet, hasHost, hostSetOf, keepHosts, membersOf } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { costOf, type Move, type PlanCost, type Step } from './move.js';
import { anchorOf, hostsBut, type MoveUnit, moveUnit, targetsFor, unitsOn } from './move-unit.js';
import { planDrain } from './plan-drain.js';
import { replaySteps } from './search-moves.js';
import { type Trial, tried } from './trial.js';

/** `even`: no host much fuller than another; `empty-hosts`: as many hosts without VMs as can be had. */
type Goal = 'even' | 'empty-hosts';

export interface RebalanceOptions {
  readonly goal: Goal;
  /** Only hosts of this group, and VMs on them. */
  readonly hostGroupId?: string;
  readonly moveCountMax?: number;
  /** `even` is reached when the fullest host is at most so much above the emptiest, as a share of a host. */
  readonly toleranceShare?: number;
}

const MOVE_COUNT_MAX = 50;
const TOLERANCE_SHARE = 0.1;
/** A move must lower the sum of squares of the hosts' shares by so much, or it is not worth its cost. */
const GAIN_MIN = 0.002;
/** Fullest hosts that are looked at for a move; if none of them has one, those behind hardly do. */
const FULL_HOST_COUNT_MAX = 4;

export interface Evenness {
  readonly fullestShare: number;
  readonly emptiestShare: number;
  readonly emptyHostCount: number;
}

export type RebalancePlan =
  | { readonly kind: 'good-enough'; readonly reason: string; readonly now: Evenness }
  | {
      readonly kind: 'plan';
      readonly steps: readonly Step[];
      readonly cost: PlanCost;
      readonly before: Evenness;
      readonly after: Evenness;
    };

/**
 * Moves that make a fleet even, or empty hosts of it, in an order in which every step fits and no step breaks a hard rule.
 * First, in both cases, VMs leave where a rule is broken or a host has promised more than it has. Nothing is changed.
 */
export function planRebalance(fleet: Fleet, options: RebalanceOptions): RebalancePlan {
  const hosts = openHosts(fleet, options.hostGroupId);
  const moveCountMax = options.moveCountMax ?? MOVE_COUNT_MAX;
  const before = evennessOf(fleet, hosts);
  return tried(fleet, (trial): RebalancePlan => {
    const steps: Step[] = [];
    repair(trial, hosts, steps, moveCountMax, options.goal);
    const why =
      options.goal === 'even'
        ? even(trial, hosts, steps, moveCountMax, options.toleranceShare ?? TOLERANCE_SHARE)
        : emptyHosts(trial, hosts, steps, moveCountMax);
    if (steps.length === 0) return { kind: 'good-enough', reason: why, now: before };
    return { kind: 'plan', steps, cost: costOf(steps), before, after: evennessOf(fleet, hosts) };
  });
}

/** Hosts that take VMs; others are neither filled nor counted. */
function openHosts(fleet: Fleet, hostGroupId: string | undefined): HostSet {
  const hosts = hostSetOf(fleet.hostCount);
  hosts.set(fleet.labels.of(LABEL.state('active')));
  keepHosts(hosts, fleet.labels.of(LABEL.connected));
  if (hostGroupId !== undefined) keepHosts(hosts, fleet.labels.of(LABEL.hostGroup(hostGroupId)));
  return hosts;
}

/** How full a host is: the largest of the shares of vCPUs and memory reserved, and of CPU used as measured. */
export function shareUsed(fleet: Fleet, index: number): number {
  const vcpus = 1 - cell(fleet.free.vcpuCount, index) * cell(fleet.perCapacity.vcpuCount, index);
  const memory = 1 - cell(fleet.free.memoryBytes, index) * cell(fleet.perCapacity.memoryBytes, index);
  const row = fleet.rowOf(index);
  let load = 0;
  for (const { loadCpuCount = 0 } of fleet.vms.eachOnHost(row.hostId)) load += loadCpuCount;
  return Math.max(vcpus, memory, row.capacity.vcpuCount > 0 ? load / row.capacity.vcpuCount : 0);
}

function evennessOf(fleet: Fleet, hosts: HostSet): Evenness {
  const members = [...membersOf(hosts)];
  const shares = members.map((index) => shareUsed(fleet, index));
  return {
    fullestShare: Math.max(0, ...shares),
    emptiestShare: shares.length === 0 ? 0 : Math.min(...shares),
    emptyHostCount: members.filter((index) => fleet.vms.countOnHost(fleet.hostIds[index] as string) === 0).length,
  };
}

const moveCountOf = (steps: readonly Step[]): number => costOf(steps).moveCount;

/** VMs that would not be placed where they are go where they would, the largest first, while there are moves left. */
function repair(trial: Trial, hosts: HostSet, steps: Step[], moveCountMax: number, goal: Goal): void {
  const { fleet } = trial;
  for (const index of membersOf(hosts)) {
    const hostId = fleet.hostIds[index] as string;
    for (const unit of unitsOn(fleet, hostId)) {
      if (anchorOf(unit) !== null || moveCountOf(steps) + unit.length > moveCountMax) continue;
      const { mark } = trial;
      const staysWell = moveUnit(trial, unit, index, '') !== null;
      trial.rollback(mark);
      if (staysWell) continue;
      const step = moveToBest(
        trial,
        unit,
        index,
        hosts,
        `a rule is broken on host ${fleet.names[index]}, or it has promised too much`,
        goal,
      );
      if (step !== null) steps.push(step);
    }
  }
}

function moveToBest(
  trial: Trial,
  unit: MoveUnit,
  from: number,
  hosts: HostSet,
  reason: string,
  goal: Goal,
): Step | null {
  const { fleet } = trial;
  const within = hostsBut(fleet, from);
  keepHosts(within, hosts);
  const targets = targetsFor(trial, unit, within);
  // The best host is often the fullest one, which would have to be relieved next.
  const byShare = (left: number, right: number): number => shareUsed(fleet, left) - shareUsed(fleet, right);
  for (const to of goal === 'even' ? targets.toSorted(byShare) : targets) {
    const moves = moveUnit(trial, unit, to, reason);
    if (moves !== null) return { moves };
  }
  return null;
}

/** The best move of the fullest hosts, again and again. Returns why it ended. */
function even(trial: Trial, hosts: HostSet, steps: Step[], moveCountMax: number, toleranceShare: number): string {
  const { fleet } = trial;
  for (;;) {
    const { fullestShare, emptiestShare } = evennessOf(fleet, hosts);
    const apart = `${percent(fullestShare - emptiestShare)} between the fullest and the emptiest host`;
    if (fullestShare - emptiestShare <= toleranceShare) return `${apart}; ${percent(toleranceShare)} are allowed`;
    const best = bestMove(trial, hosts);
    if (best === null) return `${apart}, and no move that keeps the rules gains enough`;
    if (moveCountOf(steps) + best.unit.length > moveCountMax) return `the ${moveCountMax} moves allowed are used up`;
    const reason = `host ${fleet.names[best.from]} is ${percent(shareUsed(fleet, best.from))} full, ${fleet.names[best.to]} ${percent(shareUsed(fleet, best.to))}`;
    steps.push({ moves: moveUnit(trial, best.unit, best.to, reason) as Move[] });
  }
}

interface Candidate {
  readonly unit: MoveUnit;
  readonly from: number;
  readonly to: number;
  readonly gain: number;
}

function bestMove(trial: Trial, hosts: HostSet): Candidate | null {
  const { fleet } = trial;
  const shares = new Map([...membersOf(hosts)].map((index) => [index, shareUsed(fleet, index)]));
  const byShare = [...shares.keys()].sort(
    (left, right) => (shares.get(right) as number) - (shares.get(left) as number),
  );
  const emptiestFirst = byShare.toReversed();
  let best: Candidate | null = null;
  for (const from of byShare.slice(0, FULL_HOST_COUNT_MAX)) {
    for (const unit of unitsOn(fleet, fleet.hostIds[from] as string)) {
      if (anchorOf(unit) !== null) continue;
      const candidate = bestTarget(trial, unit, from, emptiestFirst, shares);
      if (candidate !== null && candidate.gain > (best?.gain ?? GAIN_MIN)) best = candidate;
    }
  }
  return best;
}

/** The emptiest host that takes the unit: on shares alike, the one that gains most. */
function bestTarget(
  trial: Trial,
  unit: MoveUnit,
  from: number,
  emptiestFirst: readonly number[],
  shares: ReadonlyMap<number, number>,
): Candidate | null {
  const { fleet } = trial;
  for (const to of emptiestFirst) {
    if (to === from || (shares.get(to) as number) >= (shares.get(from) as number)) continue;
    const { mark } = trial;
    if (moveUnit(trial, unit, to, '') === null) continue;
    const [fromShare, toShare] = [shareUsed(fleet, from), shareUsed(fleet, to)];
    trial.rollback(mark);
    // Or the other one would only be the next to be relieved.
    if (toShare >= (shares.get(from) as number)) continue;
    const after = fromShare ** 2 + toShare ** 2;
    return { unit, from, to, gain: (shares.get(from) as number) ** 2 + (shares.get(to) as number) ** 2 - after };
  }
  return null;
}

/** Drains hosts, the emptiest first, onto others that have VMs already. Returns why it ended. */
function emptyHosts(trial: Trial, hosts: HostSet, steps: Step[], moveCountMax: number): string {
  const { fleet } = trial;
  const countOn = (index: number): number => fleet.vms.countOnHost(fleet.hostIds[index] as string);
  const used = [...membersOf(hosts)].filter((index) => countOn(index) > 0);
  const order = used.sort((left, right) => shareUsed(fleet, left) - shareUsed(fleet, right) || left - right);
  for (const index of order) {
    const within = hostSetOf(fleet.hostCount);
    for (const other of order)
      if (other !== index && countOn(other) > 0 && hasHost(hosts, other))
        within[other >>> 5] = (within[other >>> 5] as number) | (1 << (other & 31));
    const reason = `host ${fleet.names[index]} is emptied`;
    const left = moveCountMax - moveCountOf(steps);
    const plan = planDrain(fleet, fleet.hostIds[index] as string, {
      within,
      reason,
      moveCountMax: left,
      stateCountMax: 0,
    });
    if (plan.kind !== 'plan') continue;
    replaySteps(trial, plan.steps);
    steps.push(...plan.steps);
  }
  return 'no host with VMs can be emptied onto the others within the moves allowed';
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
