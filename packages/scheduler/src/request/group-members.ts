import type { DomainLevel } from '../fleet/fault-domains.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import { HOST_LEVEL, type PlacementGroup } from '../fleet/host-row.js';
import { addHost, addHosts, type HostSet, hasHost, hostSetOf } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import type { PlacementRequest } from './placement-request.js';

/** Where the other members of a group are, by domain of the group's level. */
export interface GroupMembers {
  readonly group: PlacementGroup;
  readonly domains: DomainLevel;
  /** Members by domain; domains without any are left out. */
  readonly countOf: ReadonlyMap<number, number>;
  /** Members on hosts whose domain of this level is not known. */
  readonly unknownCount: number;
}

export const groupsOf = (
  request: PlacementRequest,
  fleet: Fleet,
  kind: PlacementGroup['kind'],
  strength: PlacementGroup['strength'],
): GroupMembers[] =>
  (request.groupIds ?? []).flatMap((groupId) => {
    const group = fleet.placementGroups.get(groupId);
    return group?.kind === kind && group.strength === strength ? [membersByDomain(group, request.vmId, fleet)] : [];
  });

/** The VM with this id does not count: it would leave where it is. */
export function membersByDomain(group: PlacementGroup, vmId: string | undefined, fleet: Fleet): GroupMembers {
  const domains = fleet.domains(group.level);
  const countOf = new Map<number, number>();
  let unknownCount = 0;
  for (const member of fleet.vms.membersOf(group.groupId)) {
    const index = fleet.indexOf(member.hostId);
    if (member.vmId === vmId || index < 0) continue;
    const domain = cell(domains.domainOf, index);
    if (domain < 0) unknownCount += 1;
    else countOf.set(domain, (countOf.get(domain) ?? 0) + 1);
  }
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

export function hostsOfUnknownDomain(domains: DomainLevel): HostSet {
  const set = hostSetOf(domains.domainOf.length);
  for (const [index, domain] of domains.domainOf.entries()) if (domain < 0) addHost(set, index);
  return set;
}

/** The least number of members in a domain that could take one: that has a host which is open and reports. */
export function leastCount({ domains, countOf }: GroupMembers, fleet: Fleet): number {
  const active = fleet.labels.of(LABEL.state('active'));
  const connected = fleet.labels.of(LABEL.connected);
  const open = new Uint8Array(domains.names.length);
  for (let index = 0; index < fleet.hostCount; index += 1) {
    const domain = cell(domains.domainOf, index);
    if (domain >= 0 && hasHost(active, index) && hasHost(connected, index)) open[domain] = 1;
  }
  let least = Number.POSITIVE_INFINITY;
  for (const [domain, isOpen] of open.entries()) if (isOpen === 1) least = Math.min(least, countOf.get(domain) ?? 0);
  return least;
}
