import { bindScores } from './bind-rules.js';
import { bestHosts, type Choice, chooseFrom, chooseHost } from './choose-host.js';
import { findRemedies } from './explain/find-remedies.js';
import { NearestHosts } from './explain/nearest-hosts.js';
import { summariseContradictions, summarisePlacement, summariseRefusal } from './explain/summarise.js';
import { haReserve } from './filters/ha-reserve.js';
import { amountsOf } from './fleet/amounts.js';
import { digestOf } from './fleet/digest.js';
import type { Fleet } from './fleet/fleet.js';
import { countHosts, type HostSet } from './fleet/host-set.js';
import {
  type HostVerdict,
  type Placement,
  type PlacementRecord,
  type PlacementScore,
  VERDICT_COUNT_MAX,
} from './placement.js';
import { findContradictions } from './request/find-contradictions.js';
import type { PlacementRequest } from './request/placement-request.js';
import { plainRequest } from './request/plain-request.js';
import { planNuma } from './request/plan-numa.js';
import { isRejected, type Scan, scanHosts } from './scan-hosts.js';

export interface PlaceOptions {
  /** Only these are looked at. */
  readonly within?: HostSet;
  /** For VMs of a lost or drained host: what the reserve is kept for. */
  readonly usesHaReserve?: boolean;
}

/**
 * Chooses the host for one VM, or says why there is none. Pure: the same request and hosts always give the same answer,
 * in whatever order the hosts come; of equally good hosts the one with the smallest id is taken. The answer is a
 * proposal: the conditional reservation in the database decides between two that race.
 */
export function place(request: PlacementRequest, fleet: Fleet, options: PlaceOptions = {}): Placement {
  const contradictions = findContradictions(request, fleet);
  const { usesHaReserve = false, ...rest } = options;
  const scan = scanHosts(request, fleet, { ...rest, askedLast: usesHaReserve ? [] : [haReserve] });
  if (contradictions.length > 0) return refuse(scan, contradictions);
  const chosen = chooseFrom(scan);
  return chosen === null ? refuse(scan, []) : choose(scan, chosen);
}

/** The choice of `place` alone, by the index of the host, for who needs no explanation. null: none fits. */
export const chooseReserving = (request: PlacementRequest, fleet: Fleet): number | null =>
  chooseHost(request, fleet, { askedLast: [haReserve] });

function choose(scan: Scan, chosen: Choice): Placement {
  const { request, fleet } = scan;
  const host = hostAt(fleet, chosen.index);
  const scores = bindScores(request, fleet);
  const candidates = bestHosts(scan, scores, chosen, VERDICT_COUNT_MAX);
  const score = scores.explain(chosen.index);
  const head = headOf(scan);
  const verdicts = [
    ...candidates.map((index) => verdictOn(scan, index, scores.explain(index))),
    ...nearestRejected(scan, VERDICT_COUNT_MAX - candidates.length).map((index) => verdictOn(scan, index, null)),
  ];
  const [, second] = verdicts;
  const record: PlacementRecord = {
    outcome: 'placed',
    ...head,
    contradictions: [],
    verdicts,
    omittedVerdictCount: head.hostCount - verdicts.length,
    chosen: { ...host, score },
    margin: second?.score == null ? null : score.total - second.score.total,
    relaxation: null,
    remedies: [],
    summary: summarisePlacement(host.hostName, head.candidateCount, head.hostCount),
  };
  return { kind: 'placed', hostId: host.hostId, numa: planNuma(fleet, chosen.index, request) ?? [], score, record };
}

function refuse(scan: Scan, contradictions: readonly string[]): Placement {
  const { fleet, filters } = scan;
  const nearest = nearestRejected(scan, VERDICT_COUNT_MAX);
  const [first] = nearest;
  const relaxation =
    first === undefined
      ? null
      : {
          ...hostAt(fleet, first),
          changes: filters.filter((filter) => !filter.admits(first)).map((filter) => filter.change(first)),
        };
  const head = headOf(scan);
  const remedies = contradictions.length > 0 ? [] : findRemedies(scan);
  const record: PlacementRecord = {
    outcome: 'refused',
    ...head,
    contradictions,
    verdicts: nearest.map((index) => verdictOn(scan, index, null)),
    omittedVerdictCount: head.hostCount - nearest.length,
    chosen: null,
    margin: null,
    relaxation,
    remedies,
    summary:
      contradictions.length > 0
        ? summariseContradictions(contradictions)
        : summariseRefusal(scan, relaxation, remedies),
  };
  return { kind: 'refused', record };
}

/** The rejected hosts that are least far from being admitted. */
function nearestRejected(scan: Scan, countMax: number): readonly number[] {
  const { fleet, filters } = scan;
  const nearest = new NearestHosts(countMax);
  if (countMax === 0) return nearest.indexes();
  for (let index = 0; index < fleet.hostCount; index += 1) {
    if (!isRejected(scan, index)) continue;
    let distance = 0;
    for (const filter of filters) {
      if (filter.isAskedLast !== true && !filter.admits(index)) distance += filter.distance(index);
    }
    nearest.offer(index, distance);
  }
  return nearest.indexes();
}

function headOf({
  request,
  fleet,
  filters,
  fitting,
  rejectedCounts,
}: Scan): Pick<PlacementRecord, 'needed' | 'request' | 'inputDigest' | 'hostCount' | 'candidateCount' | 'rejections'> {
  const { accelerator, hostId } = request;
  return {
    needed: { ...amountsOf(request), accelerator, hostId },
    request: plainRequest(request),
    inputDigest: digestOf([plainRequest(request), fleet.digest()]),
    hostCount: fleet.hostCount,
    candidateCount: countHosts(fitting),
    rejections: filters
      .map((filter, at) => ({ filter: filter.name, rejected: rejectedCounts[at] ?? 0 }))
      .filter(({ rejected }) => rejected > 0),
  };
}

function verdictOn({ fleet, filters }: Scan, index: number, score: PlacementScore | null): HostVerdict {
  const objections =
    score !== null
      ? []
      : filters
          .filter((filter) => !filter.admits(index))
          .map(({ name, amount, reason }) => ({
            filter: name,
            reason: reason(index),
            needed: amount?.needed ?? null,
            free: amount?.free(index) ?? null,
          }));
  return { ...hostAt(fleet, index), fits: score !== null, score, objections };
}

const hostAt = (fleet: Fleet, index: number): { hostId: string; hostName: string } => ({
  hostId: fleet.hostIds[index] as string,
  hostName: fleet.names[index] as string,
});
