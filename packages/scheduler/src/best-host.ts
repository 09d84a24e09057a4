import { bindCoreFilters, bindOwnSetFilters, bindRuleScores, bindThese, type WeightedScore } from './bind-rules.js';
import type { BoundFilter } from './filter.js';
import type { Fleet } from './fleet/fleet.js';
import { dropHost, type HostSet, hostSetOf, keepHosts } from './fleet/host-set.js';
import { LABEL } from './fleet/labels.js';
import { hostsByLabels } from './hosts-by-labels.js';
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
  const hosts = spare?.length === (fleet.hostCount + 31) >>> 5 ? spare : hostSetOf(fleet.hostCount);
  try {
    return bestIn(hosts, request, fleet, options);
  } finally {
    if (spares.length < SPARE_COUNT_MAX) spares.push(hosts);
  }
}

/** Sets as large as the fleet, lent out; decisions may nest. */
const spares: HostSet[] = [];
const SPARE_COUNT_MAX = 4;

function bestIn(
  hosts: HostSet,
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
  for (;;) {
    const index = bestOf(hosts, request, fleet, core, scores);
    if (index < 0) return null;
    if (last.every((filter) => filter.admits(index))) return index;
    dropHost(hosts, index);
  }
}

/** Of equally good hosts the one with the smallest id; -1: none fits. Columns in locals: V8 reads them faster from there. */
function bestOf(
  hosts: HostSet,
  request: PlacementRequest,
  fleet: Fleet,
  core: readonly BoundFilter[],
  scores: readonly WeightedScore[],
): number {
  const { vcpuCount, memoryBytes, diskBytes, dedicatedCpuCount, hugePages2MibBytes, hugePages1GibBytes } = request;
  const { vcpuCount: vcpus, memoryBytes: memory, diskBytes: disk } = fleet.free;
  const { dedicatedCpuCount: cpus, hugePages2MibBytes: smallPages, hugePages1GibBytes: largePages } = fleet.free;
  const { vcpuCount: perVcpus, memoryBytes: perMemory, diskBytes: perDisk } = fleet.perCapacity;
  const { policies, emptyTotals } = fleet;
  const kvm = fleet.labels.of(LABEL.accelerator('kvm'));
  const reach = reachOf(request, fleet, scores);
  let best = -1;
  let bestTotal = Number.NEGATIVE_INFINITY;
  for (let word = 0; word < hosts.length; word += 1) {
    for (let left = hosts[word] as number; left !== 0; left &= left - 1) {
      const bit = left & -left;
      const index = (word << 5) + 31 - Math.clz32(bit);
      if ((emptyTotals[index] as number) + reach < bestTotal) continue;
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
      if (scores.length > 0) total = withScores(total, index, bestTotal, scores);
      if (!(total > bestTotal) || !isAdmitted(index, core)) continue;
      best = index;
      bestTotal = total;
    }
  }
  return best;
}

/** By how much the total of any host may be above that of a request for nothing. */
function reachOf(request: PlacementRequest, { perCapacityMax }: Fleet, scores: readonly WeightedScore[]): number {
  let reach = totalReach(
    request.vcpuCount * perCapacityMax.vcpuCount,
    request.memoryBytes * perCapacityMax.memoryBytes,
    request.diskBytes * perCapacityMax.diskBytes,
  );
  for (const { weight } of scores) reach += weight;
  return reach + ROUNDING;
}

/** Scores are at most 1: where not even that would do, they are not asked for, and the total stays too small. */
function withScores(ofAmounts: number, index: number, bestTotal: number, scores: readonly WeightedScore[]): number {
  let most = ofAmounts + ROUNDING;
  for (const { weight } of scores) most += weight;
  if (most < bestTotal) return ofAmounts;
  let total = ofAmounts;
  for (const { weight, score } of scores) total += weight * score.of(index);
  return total;
}

function isAdmitted(index: number, core: readonly BoundFilter[]): boolean {
  for (const filter of core) if (!filter.admits(index)) return false;
  return true;
}
