import { bindFilters } from '../bind-rules.js';
import { rankHosts } from '../choose-host.js';
import type { Fleet } from '../fleet/fleet.js';
import { HOST_LEVEL, type PlacementGroup } from '../fleet/host-row.js';
import { fillHosts, type HostSet, hostSetOf } from '../fleet/host-set.js';
import { leastCount, membersByDomain } from '../request/group-members.js';
import type { PlacedVm } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';
import { scanHosts } from '../scan-hosts.js';
import { largestFirst, requestToMove } from '../what-if/recover-vms.js';
import { type Move, moveOf } from './move.js';
import type { Trial } from './trial.js';

/** VMs that can only move together, for a hard rule binds them to one host. Mostly one VM. */
export type MoveUnit = readonly PlacedVm[];

const bindsToOneHost = ({ kind, strength, level }: PlacementGroup): boolean =>
  kind === 'affinity' && strength === 'hard' && level === HOST_LEVEL;

/** The VM and those that it must stay with, on the same host; the largest first. */
export function unitOf(fleet: Fleet, vm: PlacedVm): MoveUnit {
  const unit = new Map([[vm.vmId, vm]]);
  for (const one of unit.values()) {
    for (const groupId of one.request.groupIds ?? []) {
      if (!fleet.rulesOf(groupId).some(bindsToOneHost)) continue;
      for (const other of fleet.vms.membersOf(groupId)) if (other.hostId === vm.hostId) unit.set(other.vmId, other);
    }
  }
  return largestFirst([...unit.values()]);
}

/** The units of a host, in the order of their largest VM. */
export function unitsOn(fleet: Fleet, hostId: string): MoveUnit[] {
  const seen = new Set<string>();
  const units: MoveUnit[] = [];
  for (const vm of largestFirst(fleet.vms.onHost(hostId))) {
    if (seen.has(vm.vmId)) continue;
    const unit = unitOf(fleet, vm);
    for (const { vmId } of unit) seen.add(vmId);
    units.push(unit);
  }
  return units;
}

/** Why a unit must stay; null: it may move. */
export function anchorOf(unit: MoveUnit): string | null {
  for (const { vmId, mobility } of unit)
    if (typeof mobility === 'object') return `VM ${vmId} must stay: ${mobility.no}`;
  return null;
}

/** Moves the unit to the host, if every rule holds there for each of its VMs; null, and nothing changed, if not. */
export function moveUnit(trial: Trial, unit: MoveUnit, to: number, reason: string): Move[] | null {
  const { fleet, mark } = trial;
  const spreads = spreadGroupsOf(unit, fleet);
  const before = spreads.map((group) => unevenness(group, fleet));
  for (const { vmId } of unit) trial.vacate(vmId);
  const moves: Move[] = [];
  for (const vm of unit) {
    const request = requestToMove(vm);
    if (!bindFilters(request, fleet).every((filter) => filter.admits(to))) {
      trial.rollback(mark);
      return null;
    }
    moves.push(moveOf(fleet, vm, to, reason));
    trial.occupy({ ...vm, hostId: fleet.hostIds[to] as string, numa: planNuma(fleet, to, request) });
  }
  // The filters see to the domain that a VM enters; the one that it leaves may now have too few for the others.
  const isEvenEnough = (group: PlacementGroup, at: number): boolean =>
    unevenness(group, fleet) <= Math.max(group.skewMax ?? 1, before[at] as number);
  if (spreads.every(isEvenEnough)) return moves;
  trial.rollback(mark);
  return null;
}

const spreadGroupsOf = (unit: MoveUnit, fleet: Fleet): PlacementGroup[] =>
  [...new Set(unit.flatMap(({ request }) => request.groupIds ?? []))]
    .flatMap((groupId) => fleet.rulesOf(groupId))
    .filter(({ kind, strength }) => kind === 'spread' && strength === 'hard');

/** By how many members the fullest domain is above the emptiest open one. */
function unevenness(group: PlacementGroup, fleet: Fleet): number {
  const members = membersByDomain(group, undefined, fleet);
  return Math.max(0, ...members.countOf.values()) - Math.min(leastCount(members, fleet), Number.MAX_SAFE_INTEGER);
}

/** A unit that the best hosts do not take as a whole, the others hardly do. */
const TARGET_COUNT_MAX = 32;

/** Hosts, best first, that admit the unit's largest VM; whether they take the rest is seen by moving it. */
export function targetsFor(trial: Trial, unit: MoveUnit, within: HostSet): readonly number[] {
  const [first] = unit;
  if (first === undefined) return [];
  const { mark } = trial;
  for (const { vmId } of unit) trial.vacate(vmId);
  const targets = rankHosts(scanHosts(requestToMove(first), trial.fleet, { within }), TARGET_COUNT_MAX);
  trial.rollback(mark);
  return targets;
}

export function hostsBut(fleet: Fleet, ...dropped: readonly number[]): HostSet {
  const set = hostSetOf(fleet.hostCount);
  fillHosts(set, fleet.hostCount);
  for (const index of dropped) set[index >>> 5] = (set[index >>> 5] as number) & ~(1 << (index & 31));
  return set;
}
