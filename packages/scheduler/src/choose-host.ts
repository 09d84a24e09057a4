import { bestHost } from './best-host.js';
import { type BoundScores, bindScores } from './bind-rules.js';
import { NearestHosts } from './explain/nearest-hosts.js';
import type { Fleet } from './fleet/fleet.js';
import { dropHost, listHosts } from './fleet/host-set.js';
import type { PlacementRequest } from './request/placement-request.js';
import type { Scan, ScanOptions } from './scan-hosts.js';

/** The host with the largest total, without explanation: what planners and what-if questions ask thousands of times. */
export const chooseHost = (request: PlacementRequest, fleet: Fleet, options: ScanOptions = {}): number | null =>
  bestHost(request, fleet, options);

export interface Choice {
  readonly index: number;
  readonly total: number;
}

/** Of equally good hosts the one with the smallest id. Hosts that a filter asked last rejects leave the scan. */
export function chooseFrom(scan: Scan): Choice | null {
  return withTotals(scan, bindScores(scan.request, scan.fleet), (hosts, totals, count) => {
    for (;;) {
      const at = largest(totals, count);
      if (at < 0) return null;
      const index = hosts[at] as number;
      if (!isRejectedLast(scan, index)) return { index, total: totals[at] as number };
      totals[at] = Number.NEGATIVE_INFINITY;
    }
  });
}

/** The chosen host and the next best ones, at most `countMax`, best first. */
export function bestHosts(scan: Scan, scores: BoundScores, chosen: Choice, countMax: number): readonly number[] {
  return withTotals(scan, scores, (hosts, totals, count) => {
    const nearest = new NearestHosts(countMax);
    for (let at = 0; at < count; at += 1) nearest.offer(hosts[at] as number, -(totals[at] as number));
    const [first] = nearest.indexes();
    return first === chosen.index ? nearest.indexes() : [chosen.index, ...nearest.indexes()].slice(0, countMax);
  });
}

/** Hosts that fit, best first, at most `countMax`; filters asked last are not asked. */
export const rankHosts = (scan: Scan, countMax: number): readonly number[] =>
  withTotals(scan, bindScores(scan.request, scan.fleet), (hosts, totals, count) => {
    const nearest = new NearestHosts(countMax);
    for (let at = 0; at < count; at += 1) nearest.offer(hosts[at] as number, -(totals[at] as number));
    return nearest.indexes();
  });

function isRejectedLast(scan: Scan, index: number): boolean {
  const at = scan.filters.findIndex((filter) => filter.isAskedLast === true && !filter.admits(index));
  if (at < 0) return false;
  scan.rejectedCounts[at] = (scan.rejectedCounts[at] ?? 0) + 1;
  dropHost(scan.fitting, index);
  return true;
}

function largest(totals: Float64Array, count: number): number {
  let best = -1;
  let bestTotal = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < count; at += 1) {
    const total = totals[at] as number;
    if (total > bestTotal) {
      best = at;
      bestTotal = total;
    }
  }
  return best;
}

interface Scratch {
  readonly hosts: Int32Array;
  readonly totals: Float64Array;
}
/** Lists as long as the fleet, lent out: a decision allocates nothing that grows with the fleet. Decisions may nest. */
const spares: Scratch[] = [];
const SPARE_COUNT_MAX = 4;

function withTotals<Result>(
  { fleet, fitting }: Scan,
  scores: BoundScores,
  use: (hosts: Int32Array, totals: Float64Array, count: number) => Result,
): Result {
  const spare = spares.pop();
  const scratch =
    spare !== undefined && spare.hosts.length >= fleet.hostCount
      ? spare
      : { hosts: new Int32Array(fleet.hostCount), totals: new Float64Array(fleet.hostCount) };
  try {
    const count = listHosts(fitting, scratch.hosts);
    scores.writeTotals(scratch.totals, scratch.hosts, count);
    return use(scratch.hosts, scratch.totals, count);
  } finally {
    if (spares.length < SPARE_COUNT_MAX) spares.push(scratch);
  }
}
