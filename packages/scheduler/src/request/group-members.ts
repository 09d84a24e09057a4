import type { DomainLevel } from '../fleet/fault-domains.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import { HOST_LEVEL, type PlacementGroup } from '../fleet/host-row.js';
import { addHost, addHosts, dropHost, dropHosts, type HostSet, hostSetOf } from '../fleet/host-set.js';
import type { PlacedVm, PlacementRequest } from './placement-request.js';

/** Where the other members of a group are, by domain of the group's level. */
export interface GroupMembers {
  readonly group: PlacementGroup;
  readonly domains: DomainLevel;
  /** Members by domain; domains without any are left out. */
  readonly countOf: ReadonlyMap<number, number>;
  /** Members on hosts whose domain of this level is not known. */
  readonly unknownCount: number;
}

/** Where VMs would be, other than where the fleet has them. Hosts by index; -1: on none. */
export interface Moved {
  hostOf(vm: PlacedVm): number;
  /** A VM that the fleet does not have. */
  readonly newcomer: PlacedVm;
  newcomerAt(): number;
}

export function groupsOf(
  request: PlacementRequest,
  fleet: Fleet,
  kind: PlacementGroup['kind'],
  strength: PlacementGroup['strength'],
  moved?: Moved,
): GroupMembers[] {
  const found: GroupMembers[] = [];
  for (const groupId of request.groupIds ?? []) {
    for (const group of fleet.rulesOf(groupId))
      if (group.kind === kind && group.strength === strength)
        found.push(membersByDomain(group, request.vmId, fleet, moved));
  }
  return found;
}

/** The VM with this id does not count: it would leave where it is. */
export function membersByDomain(
  group: PlacementGroup,
  vmId: string | undefined,
  fleet: Fleet,
  moved?: Moved,
): GroupMembers {
  const domains = fleet.domains(group.level);
  const countOf = new Map<number, number>();
  let unknownCount = 0;
  const count = (index: number): void => {
    if (index < 0) return;
    const domain = cell(domains.domainOf, index);
    if (domain < 0) unknownCount += 1;
    else countOf.set(domain, (countOf.get(domain) ?? 0) + 1);
  };
  for (const member of fleet.vms.membersOf(group.groupId))
    if (member.vmId !== vmId) count(moved === undefined ? fleet.indexOf(member.hostId) : moved.hostOf(member));
  if (moved !== undefined && moved.newcomer.vmId !== vmId && moved.newcomer.request.groupIds?.includes(group.groupId))
    count(moved.newcomerAt());
  return { group, domains, countOf, unknownCount };
}

/** The hosts of some domains. At the level of hosts a domain has the index of its host. */
export function hostsOf(domains: DomainLevel, indexes: Iterable<number>): HostSet {
  const set = hostSetOf(domains.domainOf.length);
  for (const domain of indexes) {
    if (domains.level === HOST_LEVEL) addHost(set, domain);
    else addHosts(set, domains.hosts[domain] as HostSet);
  }
  return set;
}

/** Takes the hosts of some domains, and those whose domain is not known, out of the set. */
export function dropDomains(
  hosts: HostSet,
  domains: DomainLevel,
  dropped: ReadonlyMap<number, unknown> | ReadonlySet<number>,
): void {
  dropHosts(hosts, domains.unknown);
  for (const domain of dropped.keys()) {
    if (domains.level === HOST_LEVEL) dropHost(hosts, domain);
    else dropHosts(hosts, domains.hosts[domain] as HostSet);
  }
}

/** The least number of members in a domain that could take one: that has a host which is open and reports. */
export function leastCount({ domains, countOf }: GroupMembers, fleet: Fleet): number {
  const open = fleet.openDomains(domains.level);
  let openCount = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [domain, count] of countOf) {
    if (open.isOpen[domain] !== 1) continue;
    openCount += 1;
    least = Math.min(least, count);
  }
  return openCount < open.count ? 0 : least;
}
