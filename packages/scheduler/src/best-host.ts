import { bindCoreFilters, bindOwnSetFilters, bindRuleScores, bindThese, type WeightedScore } from './bind-rules.js';
import type { BoundFilter } from './filter.js';
import { DIMENSIONS, type Dimension } from './fleet/amounts.js';
import type { Fleet } from './fleet/fleet.js';
import { dropHost, type HostSet, hasHost, hostSetOf, keepHosts } from './fleet/host-set.js';
import { LABEL } from './fleet/labels.js';
import { hostsByLabels } from './hosts-by-labels.js';
import { RatedHosts } from './rated-hosts.js';
import type { PlacementRequest } from './request/placement-request.js';
import type { ScanOptions } from './scan-hosts.js';
import { totalOfAmounts, totalReach } from './scores/score-amounts.js';

/** Far above the rounding of a total, far below any difference that matters. */
const ROUNDING = 1e-9;

/**
 * The host that `scanHosts` and the scores would find best, by one pass: sets first; then of each host a bound, which most
 * hosts do not get past once a good one is known; then amounts, total, and the rules that look into a host. null: none fits.
 */
export function bestHost(request: PlacementRequest, fleet: Fleet, options: ScanOptions = {}): number | null {
  const spare = spares.pop();
  const scratch = spare?.rated.hosts.length === fleet.hostCount ? spare : scratchOf(fleet.hostCount);
  try {
    return bestIn(scratch, request, fleet, options);
  } finally {
    if (spares.length < SPARE_COUNT_MAX) spares.push(scratch);
  }
}

interface Scratch {
  readonly hosts: HostSet;
  readonly rated: RatedHosts;
}
const scratchOf = (hostCount: number): Scratch => ({ hosts: hostSetOf(hostCount), rated: new RatedHosts(hostCount) });
/** As large as the fleet, lent out; decisions may nest. */
const spares: Scratch[] = [];
const SPARE_COUNT_MAX = 4;

function bestIn(
  { hosts, rated }: Scratch,
  request: PlacementRequest,
  fleet: Fleet,
  { within, askedLast = [] }: ScanOptions,
): number | null {
  hosts.set(hostsByLabels(request, fleet));
  if (within !== undefined) keepHosts(hosts, within);
  for (const filter of bindOwnSetFilters(request, fleet)) filter.restrict(hosts);
  const core = bindCoreFilters(request, fleet);
  const scores = bindRuleScores(request, fleet);
  const last = bindThese(askedLast, request, fleet);
  // Amounts are soon read again; opinions of rules are not.
  const noted = last.length > 0 && scores.length > 0 ? rated : null;
  let index = bestOf(hosts, request, fleet, { core, scores, noted });
  while (index >= 0 && !isAdmitted(index, last)) {
    dropHost(hosts, index);
    noted?.drop(index);
    index =
      noted === null
        ? bestOf(hosts, request, fleet, { core, scores, noted })
        : noted.best(
            (other) => totalAt(other, request, fleet, scores),
            (other) => isAdmitted(other, core),
          );
  }
  return index < 0 ? null : index;
}

interface Looking {
  readonly core: readonly BoundFilter[];
  readonly scores: readonly WeightedScore[];
  /** Takes down what is found out of hosts with room; null: nobody will ask. */
  readonly noted: RatedHosts | null;
}

/** Of equally good hosts the one with the smallest id; -1: none fits. Columns in locals: V8 reads them faster from there. */
function bestOf(hosts: HostSet, request: PlacementRequest, fleet: Fleet, { core, scores, noted }: Looking): number {
  const { vcpuCount, memoryBytes, diskBytes, dedicatedCpuCount, hugePages2MibBytes, hugePages1GibBytes } = request;
  const { vcpuCount: vcpus, memoryBytes: memory, diskBytes: disk } = fleet.free;
  const { dedicatedCpuCount: cpus, hugePages2MibBytes: smallPages, hugePages1GibBytes: largePages } = fleet.free;
  const { vcpuCount: perVcpus, memoryBytes: perMemory, diskBytes: perDisk } = fleet.perCapacity;
  const { policies, emptyTotals } = fleet;
  const kvm = fleet.labels.of(LABEL.accelerator('kvm'));
  const reach = reachOf(request, fleet, scores);
  const notedHosts = noted?.hosts;
  const notedTotals = noted?.totalMax;
  let notedCount = 0;
  let best = -1;
  let bestTotal = Number.NEGATIVE_INFINITY;
  for (let word = 0; word < hosts.length; word += 1) {
    for (let left = hosts[word] as number; left !== 0; left &= left - 1) {
      const bit = left & -left;
      const index = (word << 5) + 31 - Math.clz32(bit);
      const totalMax = (emptyTotals[index] as number) + reach;
      if (totalMax < bestTotal) {
        if (notedHosts === undefined || notedTotals === undefined) continue;
        notedHosts[notedCount] = index;
        notedTotals[notedCount] = totalMax;
        notedCount += 1;
        continue;
      }
      if ((vcpus[index] as number) < vcpuCount || (memory[index] as number) < memoryBytes) continue;
      if ((disk[index] as number) < diskBytes || (cpus[index] as number) < dedicatedCpuCount) continue;
      if ((smallPages[index] as number) < hugePages2MibBytes || (largePages[index] as number) < hugePages1GibBytes)
        continue;
      let total = totalOfAmounts(
        ((kvm[word] as number) & bit) !== 0,
        policies[index] as number,
        ((vcpus[index] as number) - vcpuCount) * (perVcpus[index] as number),
        ((memory[index] as number) - memoryBytes) * (perMemory[index] as number),
        ((disk[index] as number) - diskBytes) * (perDisk[index] as number),
      );
      if (scores.length > 0) {
        total = withScores(total, index, bestTotal, scores);
        if (notedHosts !== undefined && notedTotals !== undefined) {
          notedHosts[notedCount] = index;
          notedTotals[notedCount] = total;
          notedCount += 1;
        }
      }
      if (!(total > bestTotal) || !isAdmitted(index, core)) continue;
      best = index;
      bestTotal = total;
    }
  }
  if (noted !== null) noted.count = notedCount;
  return best;
}

/** Of one host, as `bestOf` reckons it; below any other where there is no room. */
function totalAt(index: number, request: PlacementRequest, fleet: Fleet, scores: readonly WeightedScore[]): number {
  const { free, perCapacity } = fleet;
  for (const dimension of DIMENSIONS)
    if ((free[dimension][index] as number) < request[dimension]) return Number.NEGATIVE_INFINITY;
  const share = (dimension: Dimension): number =>
    ((free[dimension][index] as number) - request[dimension]) * (perCapacity[dimension][index] as number);
  const ofAmounts = totalOfAmounts(
    hasHost(fleet.labels.of(LABEL.accelerator('kvm')), index),
    fleet.policies[index] as number,
    share('vcpuCount'),
    share('memoryBytes'),
    share('diskBytes'),
  );
  return withScores(ofAmounts, index, Number.NEGATIVE_INFINITY, scores);
}

/** By how much the total of any host may be above that of a request for nothing. */
function reachOf(request: PlacementRequest, { perCapacityMax }: Fleet, scores: readonly WeightedScore[]): number {
  const ofAmounts = totalReach(
    request.vcpuCount * perCapacityMax.vcpuCount,
    request.memoryBytes * perCapacityMax.memoryBytes,
    request.diskBytes * perCapacityMax.diskBytes,
  );
  return ofAmounts + weightOf(scores) + ROUNDING;
}

/**
 * The total, or where it cannot be above the best one, what it is at the most, which is below that too. Scores are at most 1:
 * each is asked only if the host could still be the best with it.
 */
function withScores(ofAmounts: number, index: number, bestTotal: number, scores: readonly WeightedScore[]): number {
  let open = weightOf(scores) + ROUNDING;
  let total = ofAmounts;
  for (let at = 0; at < scores.length; at += 1) {
    if (total + open < bestTotal) return total + open;
    const { weight, score } = scores[at] as WeightedScore;
    total += weight * score.of(index);
    open -= weight;
  }
  return total;
}

function weightOf(scores: readonly WeightedScore[]): number {
  let sum = 0;
  for (let at = 0; at < scores.length; at += 1) sum += (scores[at] as WeightedScore).weight;
  return sum;
}

function isAdmitted(index: number, core: readonly BoundFilter[]): boolean {
  for (const filter of core) if (!filter.admits(index)) return false;
  return true;
}
