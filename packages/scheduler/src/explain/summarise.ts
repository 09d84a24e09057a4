import type { AmountNeeded } from '../filter.js';
import type { Fleet } from '../fleet/fleet.js';
import type { Relaxation, Remedy } from '../placement.js';
import { FITS, firstObjector, isRejected, type Scan } from '../scan-hosts.js';

export const summarisePlacement = (hostName: string, candidateCount: number, hostCount: number): string =>
  `placed on ${hostName}: the best of ${candidateCount} that fit, of ${hostsInWords(hostCount)}`;

export const summariseContradictions = (contradictions: readonly string[]): string =>
  `no host can ever fit: ${contradictions.join('; ')}`;

/** "0 of 12 hosts fit: 8 short of memory (largest free 1.5 GiB on host-b, needed 4 GiB), 3 cordoned; smallest change: …" */
export function summariseRefusal(scan: Scan, relaxation: Relaxation | null, remedies: readonly Remedy[]): string {
  const { fleet } = scan;
  if (fleet.hostCount === 0) return '0 hosts fit: no host is enrolled';
  const reasons = groupRejections(scan)
    .toSorted((left, right) => right.count - left.count)
    .map((group) => `${group.count} ${group.name}${largestOf(fleet, group)}`);
  return `0 of ${hostsInWords(fleet.hostCount)} fit: ${reasons.join(', ')}${hintOf(relaxation, remedies)}`;
}

/** A change of many hosts' rule, or a move, is said where the nearest host alone would need more than one change. */
function hintOf(relaxation: Relaxation | null, remedies: readonly Remedy[]): string {
  if (relaxation === null) return '';
  const [remedy] = remedies;
  const changes =
    relaxation.changes.length > 1 && remedy !== undefined ? remedy.change : relaxation.changes.join(' and ');
  return `; smallest change: ${changes}`;
}

interface Group {
  readonly name: string;
  count: number;
  readonly amount: AmountNeeded | undefined;
  /** Index of the host with most free, of those counted. */
  largest: number;
}

/** Hosts counted by why they do not fit: each once, under the first filter that rejects it, in the order of filters. */
function groupRejections(scan: Scan): Group[] {
  const groups = scan.filters.map(() => new Map<string, Group>());
  for (let index = 0; index < scan.fleet.hostCount; index += 1) {
    if (!isRejected(scan, index)) continue;
    const at = firstObjector(scan, index);
    const filter = scan.filters[at];
    if (at === FITS || filter === undefined) continue;
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
