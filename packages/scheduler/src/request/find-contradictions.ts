import { GIB, MIB } from '@kvorum/schema';
import { DIMENSIONS, type Dimension } from '../fleet/amounts.js';
import type { Fleet } from '../fleet/fleet.js';
import { HOST_LEVEL, nameOfGroup, type PlacementGroup } from '../fleet/host-row.js';
import { LABEL } from '../fleet/labels.js';
import { formatBytes } from '../format-bytes.js';
import { type PlacementRequest, SMT_POLICIES } from './placement-request.js';

const NUMA_NODE_COUNT_MAX = 16;

const PAGE_BYTES: Partial<Record<Dimension, number>> = { hugePages2MibBytes: 2 * MIB, hugePages1GibBytes: GIB };
const AT_LEAST_ONE: readonly Dimension[] = ['vcpuCount', 'memoryBytes'];

/**
 * What makes a request one that no change of load could ever satisfy: numbers that are none, rules against each other, things
 * that the fleet does not have. Each names its field and what to do. Empty: nothing.
 */
export const findContradictions = (request: PlacementRequest, fleet: Fleet): string[] => [
  ...amountsNotPossible(request),
  ...shapeNotPossible(request),
  ...rulesAgainstEachOther(request, fleet),
  ...notInFleet(request, fleet),
  ...largerThanAnyHost(request, fleet),
];

function amountsNotPossible(request: PlacementRequest): string[] {
  return DIMENSIONS.flatMap((dimension) => {
    const amount = request[dimension];
    if (!Number.isSafeInteger(amount)) return [`${dimension}: ${amount} is not a whole number below 2^53`];
    if (amount < 0) return [`${dimension}: ${amount} is negative; ask for at least 0`];
    if (amount === 0 && AT_LEAST_ONE.includes(dimension)) return [`${dimension}: 0; ask for at least 1`];
    const page = PAGE_BYTES[dimension];
    return page !== undefined && amount % page !== 0 ? [`${dimension}: not a multiple of the page, ${page} bytes`] : [];
  });
}

function shapeNotPossible({ numaNodeCount, dedicatedCpuCount, smt }: PlacementRequest): string[] {
  const found: string[] = [];
  if (smt !== undefined && !SMT_POLICIES.includes(smt)) found.push(`smt: ${smt} is none of ${SMT_POLICIES.join(', ')}`);
  if (numaNodeCount === undefined) return found;
  if (!Number.isInteger(numaNodeCount) || numaNodeCount < 1 || numaNodeCount > NUMA_NODE_COUNT_MAX)
    return [...found, `numaNodeCount: ${numaNodeCount} is not a whole number from 1 to ${NUMA_NODE_COUNT_MAX}`];
  if (dedicatedCpuCount % numaNodeCount !== 0)
    found.push(`numaNodeCount: ${dedicatedCpuCount} dedicated CPUs cannot be split evenly over ${numaNodeCount} nodes`);
  return found;
}

function rulesAgainstEachOther(request: PlacementRequest, fleet: Fleet): string[] {
  const { requiredTraits = [], forbiddenTraits = [], hostId, excludedHostIds } = request;
  const found = requiredTraits
    .filter((trait) => forbiddenTraits.includes(trait))
    .map((trait) => `traits: ${trait} is both required and forbidden`);
  if (hostId !== null && excludedHostIds.includes(hostId))
    found.push(`hostId: ${hostId} is both requested and excluded`);
  for (const [level, names] of Object.entries(request.domains ?? {}))
    if (names.length === 0) found.push(`domains.${level}: no ${level} is allowed`);
  const groups = (request.groupIds ?? []).flatMap((groupId) => fleet.rulesOf(groupId));
  const hard = groups.filter(({ strength }) => strength === 'hard');
  for (const near of hard.filter(({ kind }) => kind === 'affinity'))
    for (const far of hard.filter(({ kind }) => kind === 'anti-affinity'))
      found.push(...conflict(near, far, request, fleet));
  return found;
}

/** Two VMs in both groups would have to be in one domain and in two. One rack is also one rack for hosts inside it. */
function conflict(near: PlacementGroup, far: PlacementGroup, request: PlacementRequest, fleet: Fleet): string[] {
  if (near.level !== far.level && near.level !== HOST_LEVEL) return [];
  for (const member of fleet.vms.membersOf(near.groupId)) {
    if (member.vmId !== request.vmId && member.request.groupIds?.includes(far.groupId) === true) {
      const names = `affinity group ${nameOfGroup(near)} and anti-affinity group ${nameOfGroup(far)}`;
      return [`groupIds: the VM and ${member.vmId} are both in ${names}; leave one of them`];
    }
  }
  return [];
}

function notInFleet(request: PlacementRequest, fleet: Fleet): string[] {
  const found: string[] = [];
  if (request.hostId !== null && fleet.indexOf(request.hostId) < 0)
    found.push(`hostId: host ${request.hostId} is not enrolled`);
  const { hostGroupId } = request;
  if (hostGroupId !== undefined && !fleet.labels.isKnown(LABEL.hostGroup(hostGroupId)))
    found.push(`hostGroupId: no host is in group ${hostGroupId}`);
  for (const groupId of request.groupIds ?? [])
    if (!fleet.placementGroups.has(groupId)) found.push(`groupIds: there is no placement group ${groupId}`);
  for (const [level, names] of Object.entries(request.domains ?? {}))
    for (const name of names)
      if (!fleet.labels.isKnown(LABEL.domain(level, name)))
        found.push(`domains.${level}: no host is in ${level} ${name}`);
  return found;
}

function largerThanAnyHost(request: PlacementRequest, fleet: Fleet): string[] {
  if (fleet.hostCount === 0) return [];
  return DIMENSIONS.flatMap((dimension) => {
    const needed = request[dimension];
    if (!(needed > 0)) return [];
    let largest = 0;
    for (const capacity of fleet.capacity[dimension]) largest = Math.max(largest, capacity);
    if (needed <= largest) return [];
    const words = (amount: number, rounding: 'up' | 'down') =>
      dimension.endsWith('Bytes') ? formatBytes(amount, rounding) : String(amount);
    return [`${dimension}: ${words(needed, 'up')} needed, and the largest host has ${words(largest, 'down')}`];
  });
}
