import type { Fleet } from '../fleet/fleet.js';
import { dropHost, fillHosts, type HostSet, hasHost, hostSetOf, membersOf } from '../fleet/host-set.js';
import { place } from '../place.js';
import { tried } from '../plan/trial.js';
import { hostsOf } from '../request/group-members.js';
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

/** What would happen if these hosts were gone now. Nothing is changed. */
export function loseDomain(fleet: Fleet, level: string, name: string): Loss {
  const lost = hostsOfDomain(fleet, level, name);
  return tried(fleet, (trial) => {
    const vms = [...membersOf(lost)].flatMap((index) => fleet.vms.onHost(fleet.hostIds[index] as string));
    for (const { vmId } of vms) trial.vacate(vmId);
    const within = allBut(fleet, lost);
    const restarts: Loss['restarts'][number][] = [];
    const stranded: Loss['stranded'][number][] = [];
    for (const vm of largestFirst(vms)) {
      const { vmId, hostId: fromHostId } = vm;
      if (vm.request.isHighlyAvailable !== true) {
        stranded.push({ vmId, fromHostId, reason: 'it is not highly available' });
        continue;
      }
      const index = recoverVm(trial, vm, within);
      if (index === null) stranded.push({ vmId, fromHostId, reason: reasonAgainst(fleet, vm, within) });
      else restarts.push({ vmId, fromHostId, toHostId: fleet.hostIds[index] as string });
    }
    return { lostHostIds: [...membersOf(lost)].map((index) => fleet.hostIds[index] as string), restarts, stranded };
  });
}

const reasonAgainst = (fleet: Fleet, vm: Parameters<typeof requestToMove>[0], within: HostSet): string =>
  place(requestToMove(vm), fleet, { within, usesHaReserve: true }).record.summary;

function allBut(fleet: Fleet, lost: HostSet): HostSet {
  const set = hostSetOf(fleet.hostCount);
  fillHosts(set, fleet.hostCount);
  for (let index = 0; index < fleet.hostCount; index += 1) if (hasHost(lost, index)) dropHost(set, index);
  return set;
}
