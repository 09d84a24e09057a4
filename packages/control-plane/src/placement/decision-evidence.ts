import {
  DIMENSIONS,
  type Fleet,
  type FleetFacts,
  type HostGroup,
  type HostRow,
  NO_AMOUNTS,
  type PlacedVm,
  type PlacementRecord,
  type PlacementRequest,
} from '@kvorum/scheduler';

/**
 * What a decision can be made from once more: the request, and the hosts that its record names as they were then; of groups
 * their rules, the VMs in them and the hosts that these are on. The other hosts of the fleet are not kept: at 10,000 hosts
 * they would be megabytes with every VM, and only their number is in the record. A host that was chosen over them is chosen
 * over the best of them as well, and those are named.
 */
export interface DecisionEvidence {
  readonly request: PlacementRequest;
  readonly hosts: readonly HostRow[];
  /** Left out: there were none. */
  readonly facts?: FleetFacts;
}

/** The evidence as JSON: it is written once and not looked at before somebody asks. */
export type EvidenceJson = string & { readonly evidence: unique symbol };
export const NO_EVIDENCE = 'null';

/** Records name at most 20 hosts; some hundred bytes each. */
const EVIDENCE_BYTES_MAX = 64 * 1024;
/** More of them never fit; not worth writing down to find that out. */
const HOST_COUNT_MAX = 200;

/** To be called before the decision's own claim is counted. Null: it would be too large to be kept. */
export function evidenceOf(request: PlacementRequest, record: PlacementRecord, fleet: Fleet): EvidenceJson | null {
  const indexes = new Set(record.verdicts.map(({ hostId }) => fleet.indexOf(hostId)));
  const facts = factsOf(request, fleet, indexes);
  for (const { hostId } of facts?.vms ?? []) indexes.add(fleet.indexOf(hostId));
  for (const index of openHostsFor(facts, fleet)) indexes.add(index);
  if (indexes.size > HOST_COUNT_MAX) return null;
  const traits = new Set([request, ...(facts?.vms ?? []).map((vm) => vm.request)].flatMap(traitsOf));
  const hosts = [...indexes].flatMap((index) => (index < 0 ? [] : [keptOf(traits, rowAt(fleet, index))]));
  const evidence: DecisionEvidence = { request, hosts, ...(facts === null ? {} : { facts }) };
  const json = JSON.stringify(evidence);
  return json.length <= EVIDENCE_BYTES_MAX ? (json as EvidenceJson) : null;
}

const traitsOf = ({ requiredTraits = [] }: PlacementRequest): readonly string[] => requiredTraits;

/**
 * What groups add to a decision: their rules and policies, and who is where. Hosts of a group with a reserve are all added to
 * those kept, for the loss of each is tried.
 */
function factsOf(request: PlacementRequest, fleet: Fleet, indexes: Set<number>): FleetFacts | null {
  const hostGroups = new Map<string, HostGroup>();
  for (const index of indexes) {
    const group = index < 0 ? undefined : fleet.hostGroups.get(fleet.rowOf(index).hostGroupId ?? '');
    if (group !== undefined) hostGroups.set(group.hostGroupId, group);
  }
  const inReserve = vmsInReserve(fleet, hostGroups, indexes);
  const groupIds = [...new Set([request, ...inReserve.map((vm) => vm.request)].flatMap(groupIdsOf))];
  if (groupIds.length === 0 && hostGroups.size === 0) return null;
  const vms = new Map<string, PlacedVm>();
  // Of the others it counts alone where they are: their amounts are in the rows of their hosts.
  for (const groupId of groupIds)
    for (const vm of fleet.vms.membersOf(groupId))
      vms.set(vm.vmId, { ...vm, request: { ...NOTHING, groupIds: groupIdsOf(vm.request) } });
  for (const vm of inReserve) vms.set(vm.vmId, vm);
  return {
    hostGroups: [...hostGroups.values()],
    placementGroups: groupIds.flatMap((groupId) => [...fleet.rulesOf(groupId)]),
    vms: [...vms.values()],
  };
}

const groupIdsOf = ({ groupIds = [] }: PlacementRequest): readonly string[] => groupIds;

function vmsInReserve(fleet: Fleet, hostGroups: ReadonlyMap<string, HostGroup>, indexes: Set<number>): PlacedVm[] {
  const withReserve = new Set([...hostGroups.values()].flatMap(reserveIdOf));
  if (withReserve.size === 0) return [];
  const vms: PlacedVm[] = [];
  for (const [index, { hostId, hostGroupId }] of fleet.rows().entries()) {
    if (hostGroupId === undefined || !withReserve.has(hostGroupId)) continue;
    indexes.add(index);
    for (const vm of fleet.vms.eachOnHost(hostId)) if (vm.request.isHighlyAvailable === true) vms.push(vm);
  }
  return vms;
}

const reserveIdOf = ({ hostGroupId, haReserveHostCount }: HostGroup): string[] =>
  haReserveHostCount > 0 ? [hostGroupId] : [];

const NOTHING: PlacementRequest = { ...NO_AMOUNTS, accelerator: null, hostId: null, excludedHostIds: [] };

/** Rules of spread look at the domains that could take a VM: an open host of each that has members, and of one that has none. */
function openHostsFor(facts: FleetFacts | null, fleet: Fleet): number[] {
  const found: number[] = [];
  for (const { kind, level } of facts?.placementGroups ?? []) {
    if (kind !== 'spread') continue;
    const { domainOf } = fleet.domains(level);
    const domainAt = (hostId: string): number => domainOf[fleet.indexOf(hostId)] ?? -1;
    const occupied = new Set((facts?.vms ?? []).map(({ hostId }) => domainAt(hostId)));
    const seen = new Set<number | 'unoccupied'>();
    for (let index = 0; index < fleet.hostCount; index += 1) {
      const { state, connectivity } = fleet.rowOf(index);
      const domain = domainOf[index] as number;
      const kindOfDomain = occupied.has(domain) ? domain : 'unoccupied';
      if (domain < 0 || state !== 'active' || connectivity !== 'connected' || seen.has(kindOfDomain)) continue;
      seen.add(kindOfDomain);
      found.push(index);
    }
  }
  return found;
}

/** A host has hundreds of traits; no rule looks at others than the VMs ask for. In JSON, which knows no sets. */
const keptOf = (asked: ReadonlySet<string>, row: HostRow): HostRow => {
  const traits = new Set(row.traits);
  return { ...row, traits: [...asked].filter((trait) => traits.has(trait)) };
};

const rowAt = (fleet: Fleet, index: number): HostRow => {
  const numaNodes = fleet.numaNodesOf(index);
  return { ...fleet.rowOf(index), reserved: reservedAt(fleet, index), ...(numaNodes && { numaNodes }) };
};

/** With the claims that the process had open: the row alone does not have them. */
const reservedAt = ({ capacity, free }: Fleet, index: number): HostRow['reserved'] =>
  Object.fromEntries(
    DIMENSIONS.map((dimension) => [dimension, (capacity[dimension][index] ?? 0) - (free[dimension][index] ?? 0)]),
  ) as HostRow['reserved'];
