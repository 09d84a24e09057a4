import type { AmountNeeded } from './filter.js';
import type { Fleet } from './fleet.js';
import type { Relaxation } from './placement.js';
import type { Scan } from './scan-hosts.js';

export const summarisePlacement = (hostName: string, candidateCount: number, hostCount: number): string =>
  `placed on ${hostName}: the best of ${candidateCount} that fit, of ${hostsInWords(hostCount)}`;

/** "0 of 12 hosts fit: 8 short of memory (largest free 1.5 GiB on host-b, needed 4 GiB), 3 cordoned; smallest change: …" */
export function summariseRefusal(scan: Scan, relaxation: Relaxation | null): string {
  const { request, fleet } = scan;
  if (fleet.hostCount === 0) return '0 hosts fit: no host is enrolled';
  const reasons = groupRejections(scan)
    .toSorted((left, right) => right.count - left.count)
    .map((group) => `${group.count} ${group.name}${largestOf(fleet, group)}`);
  const unknownHost = request.hostId !== null && !fleet.hostIds.includes(request.hostId);
  const head = unknownHost ? 'the requested host is not enrolled' : `0 of ${hostsInWords(fleet.hostCount)} fit`;
  const hint = relaxation === null ? '' : `; smallest change: ${relaxation.changes.join(' and ')}`;
  return `${head}: ${reasons.join(', ')}${hint}`;
}

interface Group {
  readonly name: string;
  count: number;
  readonly amount: AmountNeeded | undefined;
  /** Index of the host with most free, of those counted. */
  largest: number;
}

/** Hosts counted by why they do not fit: each once, under the first filter that rejects it, in the order of filters. */
function groupRejections({ filters, rejectedBy }: Scan): Group[] {
  const groups = filters.map(() => new Map<string, Group>());
  for (const [index, rejectedByOne] of rejectedBy.entries()) {
    const at = rejectedByOne - 1;
    const filter = filters[at];
    if (filter === undefined) continue;
    const name = filter.countedAs(index);
    const group = groups[at]?.get(name);
    if (group === undefined) groups[at]?.set(name, { name, count: 1, amount: filter.amount, largest: index });
    else countIn(group, index);
  }
  return groups.flatMap((group) => [...group.values()]);
}

function countIn(group: Group, index: number): void {
  group.count += 1;
  if (group.amount !== undefined && group.amount.free(index) > group.amount.free(group.largest)) group.largest = index;
}

function largestOf(fleet: Fleet, { amount, largest }: Group): string {
  if (amount === undefined) return '';
  const free = amount.format(amount.free(largest), 'down');
  return ` (largest free ${free} on ${fleet.names[largest]}, needed ${amount.format(amount.needed, 'up')})`;
}

const hostsInWords = (count: number): string => (count === 1 ? '1 host' : `${count} hosts`);
