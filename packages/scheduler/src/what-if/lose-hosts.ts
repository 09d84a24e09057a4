import type { Fleet } from '../fleet/fleet.js';
import { dropHost, fillHosts, type HostSet, hasHost, hostSetOf, keepHosts, membersOf } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { place } from '../place.js';
import { tried } from '../plan/trial.js';
import { hostsOf } from '../request/group-members.js';
import type { PlacedVm } from '../request/placement-request.js';
import { largestFirst, recoverVm, requestToMove } from './recover-vms.js';

export interface Loss {
  readonly lostHostIds: readonly string[];
  /** Where highly available VMs would start again. */
  readonly restarts: readonly { readonly vmId: string; readonly fromHostId: string; readonly toHostId: string }[];
  /** VMs that would not, each with the reason. */
  readonly stranded: readonly { readonly vmId: string; readonly fromHostId: string; readonly reason: string }[];
}

/** The hosts of one domain: `host` and its id, `rack` and its name. Throws RangeError if there is no such domain. */
export function hostsOfDomain(fleet: Fleet, level: string, name: string): HostSet {
  const domains = fleet.domains(level);
  const domain = domains.names.indexOf(name);
  if (domain < 0) throw new RangeError(`there is no ${level} ${name}`);
  return hostsOf(domains, [domain]);
}

export interface LossOptions {
  /** Of VMs that are not highly available: whether somebody would start them again. They come after those that are. */
  readonly alsoRestarts?: (vm: PlacedVm) => boolean;
}

/**
 * What would happen if these hosts were gone now: highly available VMs first, inside their group if it has a reserve for
 * them. Nothing is changed.
 */
export function loseDomain(fleet: Fleet, level: string, name: string, { alsoRestarts }: LossOptions = {}): Loss {
  const lost = hostsOfDomain(fleet, level, name);
  return tried(fleet, (trial) => {
    const vms = [...membersOf(lost)].flatMap((index) => fleet.vms.onHost(fleet.hostIds[index] as string));
    for (const { vmId } of vms) trial.vacate(vmId);
    const within = allBut(fleet, lost);
    const restarts: Loss['restarts'][number][] = [];
    const stranded: Loss['stranded'][number][] = [];
    const isFirst = ({ request }: PlacedVm): boolean => request.isHighlyAvailable === true;
    const inOrder = largestFirst(vms);
    for (const vm of [...inOrder.filter(isFirst), ...inOrder.filter((one) => !isFirst(one))]) {
      const { vmId, hostId: fromHostId } = vm;
      if (!isFirst(vm) && alsoRestarts?.(vm) !== true) {
        stranded.push({ vmId, fromHostId, reason: 'it is not highly available' });
        continue;
      }
      const hosts = isFirst(vm) ? withReserve(fleet, vm, within) : within;
      const index = recoverVm(trial, vm, hosts);
      if (index === null) stranded.push({ vmId, fromHostId, reason: reasonAgainst(fleet, vm, hosts) });
      else restarts.push({ vmId, fromHostId, toHostId: fleet.hostIds[index] as string });
    }
    return { lostHostIds: [...membersOf(lost)].map((index) => fleet.hostIds[index] as string), restarts, stranded };
  });
}

/** The hosts that keep room for the VM; all, if none do. */
function withReserve(fleet: Fleet, { hostId }: PlacedVm, within: HostSet): HostSet {
  const { hostGroupId = '' } = fleet.rowOf(fleet.indexOf(hostId));
  if ((fleet.hostGroups.get(hostGroupId)?.haReserveHostCount ?? 0) === 0) return within;
  const hosts = within.slice();
  keepHosts(hosts, fleet.labels.of(LABEL.hostGroup(hostGroupId)));
  return hosts;
}

const reasonAgainst = (fleet: Fleet, vm: Parameters<typeof requestToMove>[0], within: HostSet): string =>
  place(requestToMove(vm), fleet, { within, usesHaReserve: true }).record.summary;

function allBut(fleet: Fleet, lost: HostSet): HostSet {
  const set = hostSetOf(fleet.hostCount);
  fillHosts(set, fleet.hostCount);
  for (let index = 0; index < fleet.hostCount; index += 1) if (hasHost(lost, index)) dropHost(set, index);
  return set;
}
