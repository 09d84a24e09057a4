import { bindFilters } from '../bind-rules.js';
import { chooseHost } from '../choose-host.js';
import type { Fleet } from '../fleet/fleet.js';
import { dropHost, fillHosts, hostSetOf, membersOf } from '../fleet/host-set.js';
import type { Remedy } from '../placement.js';
import { tried } from '../plan/trial.js';
import type { PlacedVm, PlacementRequest } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';
import type { Scan } from '../scan-hosts.js';
import { requestToMove } from '../what-if/recover-vms.js';
import type { RejectedByOne } from './rejected-by-one.js';

/** Bounds on the search: a refusal is an answer to a person who waits. */
const HOST_COUNT_MAX = 8;
const VM_COUNT_PER_HOST_MAX = 24;
const MOVE_COUNT_MAX = 3;

/** VMs each of which, moved to where it fits, leaves room for the one asked for. Really tried, on the fleet itself, and undone. */
export function findMoves(scan: Scan, alone: readonly RejectedByOne[]): readonly Remedy[] {
  const hosts = alone
    .filter(({ filter }) => filter.amount !== undefined || filter.name === 'numa' || filter.name === 'smt')
    .flatMap(({ filter, hosts: set }) =>
      [...membersOf(set)].map((index) => ({ index, distance: filter.distance(index) })),
    )
    .sort((left, right) => left.distance - right.distance)
    .slice(0, HOST_COUNT_MAX);
  const found: Remedy[] = [];
  for (const { index } of hosts) {
    const move = moveThatMakesRoom(scan, index);
    if (move !== null) found.push(move);
    if (found.length === MOVE_COUNT_MAX) break;
  }
  return found;
}

function moveThatMakesRoom(scan: Scan, index: number): Remedy | null {
  const { fleet } = scan;
  const vms = fleet.vms.onHost(fleet.hostIds[index] as string).filter(isMovable);
  const smallestFirst = vms.sort((left, right) => left.request.memoryBytes - right.request.memoryBytes);
  for (const vm of smallestFirst.slice(0, VM_COUNT_PER_HOST_MAX)) {
    const target = targetIfMoved(scan, vm, index);
    if (target === null) continue;
    const names = [fleet.names[index] as string];
    const change = `move VM ${vm.vmId} from ${names[0]} to ${fleet.names[target]}`;
    return { kind: 'move-vm', filter: 'capacity-memory', change, hostCount: 1, hostNames: names };
  }
  return null;
}

/** Where the VM would go; null: it has no place, or its going does not help. */
function targetIfMoved({ request, fleet, filters }: Scan, vm: PlacedVm, index: number): number | null {
  fleet.vacate(vm.vmId);
  try {
    // The filters read the columns of the fleet, so they see the room that is there now.
    const makesRoom = filters.every((filter) => filter.isAskedLast === true || filter.admits(index));
    return makesRoom ? targetFor(vm, index, request, fleet) : null;
  } finally {
    fleet.occupy(vm);
  }
}

/** No VM has this id: the one asked for may be placed already. */
const NEWCOMER_ID = '\u0000newcomer';

const isMovable = ({ mobility = 'live' }: PlacedVm): boolean => typeof mobility === 'string';

/** With the VM asked for in its place, for that may be in the way of a rule too; then looked at the other way round. */
function targetFor(vm: PlacedVm, index: number, request: PlacementRequest, fleet: Fleet): number | null {
  const hostId = fleet.hostIds[index] as string;
  const others = hostSetOf(fleet.hostCount);
  fillHosts(others, fleet.hostCount);
  dropHost(others, index);
  return tried(fleet, (trial) => {
    trial.occupy({ vmId: NEWCOMER_ID, hostId, request, numa: planNuma(fleet, index, request) });
    const target = chooseHost(requestToMove(vm), fleet, { within: others });
    trial.rollback();
    if (target === null) return null;
    trial.occupy({ ...vm, hostId: fleet.hostIds[target] as string, numa: planNuma(fleet, target, requestToMove(vm)) });
    return bindFilters(request, fleet).every((filter) => filter.admits(index)) ? target : null;
  });
}
