import { chooseHost } from '../choose-host.js';
import { haReserve } from '../filters/ha-reserve.js';
import { DIMENSIONS } from '../fleet/amounts.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import { membersOf } from '../fleet/host-set.js';
import { type Trial, tried } from '../plan/trial.js';
import type { PlacementRequest } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';
import { scanHosts } from '../scan-hosts.js';

/** Where VMs stand in each other's way by rules, they are placed one by one; so many are enough to know. */
const STEPWISE_COUNT_MAX = 2000;

export interface RoomForMore {
  readonly count: number;
  /** The count was ended by its bound, and there may be room for more. */
  readonly isAtLeast: boolean;
  /** By the names of the domains of the level asked for; hosts without one are under ''. */
  readonly byDomain: Readonly<Record<string, number>>;
}

/** How many more VMs like this one would fit, all of them together. */
export function countMore(request: PlacementRequest, fleet: Fleet, level = 'zone'): RoomForMore {
  const counts = new Map<string, number>();
  const domains = fleet.domains(level);
  const add = (index: number, count: number): void => {
    const name = domains.names[cell(domains.domainOf, index)] ?? '';
    counts.set(name, (counts.get(name) ?? 0) + count);
  };
  const isStepwise = (request.groupIds ?? []).length > 0 || fleet.hasHaReserve;
  const count = tried(fleet, (trial) => (isStepwise ? oneByOne(trial, request, add) : hostByHost(trial, request, add)));
  const byDomain = Object.fromEntries([...counts].sort(([left], [right]) => (left < right ? -1 : 1)));
  return { count, isAtLeast: isStepwise && count === STEPWISE_COUNT_MAX, byDomain };
}

function oneByOne(trial: Trial, request: PlacementRequest, add: (index: number, count: number) => void): number {
  for (let count = 0; count < STEPWISE_COUNT_MAX; count += 1) {
    const index = chooseHost(request, trial.fleet, { askedLast: [haReserve] });
    if (index === null) return count;
    occupyOneMore(trial, request, index, count);
    add(index, 1);
  }
  return STEPWISE_COUNT_MAX;
}

/** Without rules between VMs, hosts do not depend on each other. */
function hostByHost(trial: Trial, request: PlacementRequest, add: (index: number, count: number) => void): number {
  const { filters, fitting } = scanHosts(request, trial.fleet);
  const needsPlan =
    request.numaNodeCount !== undefined || request.guestNodes !== undefined || request.dedicatedCpuCount > 0;
  let sum = 0;
  for (const index of membersOf(fitting)) {
    let count = 0;
    if (needsPlan) {
      for (; filters.every((filter) => filter.admits(index)); count += 1)
        occupyOneMore(trial, request, index, sum + count);
    } else count = timesItFits(request, trial.fleet, index);
    add(index, count);
    sum += count;
  }
  return sum;
}

function timesItFits(request: PlacementRequest, fleet: Fleet, index: number): number {
  let times = Number.POSITIVE_INFINITY;
  for (const dimension of DIMENSIONS) {
    if (request[dimension] > 0)
      times = Math.min(times, Math.floor(cell(fleet.free[dimension], index) / request[dimension]));
  }
  return times;
}

function occupyOneMore(trial: Trial, request: PlacementRequest, index: number, ordinal: number): void {
  const { fleet } = trial;
  const hostId = fleet.hostIds[index] as string;
  trial.occupy({ vmId: `\u0000more-${ordinal}`, hostId, request, numa: planNuma(fleet, index, request) });
}
