import { bindScores } from './bind-rules.js';
import { amountsOf, type Fleet } from './fleet.js';
import { NearestHosts } from './nearest-hosts.js';
import {
  type HostVerdict,
  type Placement,
  type PlacementRecord,
  type PlacementRequest,
  type PlacementScore,
  VERDICT_COUNT_MAX,
} from './placement.js';
import { FITS, type Scan, scanHosts } from './scan-hosts.js';
import { summarisePlacement, summariseRefusal } from './summarise.js';

/**
 * Chooses the host for one VM, or says why there is none. Pure: the same request and hosts always give the same answer,
 * in whatever order the hosts come; of equally good hosts the one with the smallest id is taken. The answer is a
 * proposal: the conditional reservation in the database decides between two that race.
 */
export function place(request: PlacementRequest, fleet: Fleet): Placement {
  const scan = scanHosts(request, fleet);
  const candidates = bestCandidates(scan);
  const [chosen] = candidates;
  return chosen === undefined ? refuse(scan) : choose(scan, chosen, candidates);
}

interface Candidate {
  readonly index: number;
  readonly score: PlacementScore;
}

/** The best of the hosts that fit, best first; at most as many as a record names. */
function bestCandidates({ request, fleet, rejectedBy }: Scan): readonly Candidate[] {
  const scores = bindScores(request, fleet);
  const nearest = new NearestHosts(VERDICT_COUNT_MAX);
  for (let index = 0; index < fleet.hostCount; index += 1) {
    if (rejectedBy[index] === FITS) nearest.offer(index, -scores.total(index));
  }
  return nearest.indexes().map((index) => ({ index, score: scores.explain(index) }));
}

function choose(scan: Scan, chosen: Candidate, candidates: readonly Candidate[]): Placement {
  const host = hostAt(scan.fleet, chosen.index);
  const head = countRejections(scan);
  const verdicts = [
    ...candidates.map(({ index, score }) => verdictOn(scan, index, score)),
    ...nearestRejected(scan, VERDICT_COUNT_MAX - candidates.length).map((index) => verdictOn(scan, index, null)),
  ];
  const record: PlacementRecord = {
    outcome: 'placed',
    ...head,
    verdicts,
    omittedVerdictCount: head.hostCount - verdicts.length,
    chosen: { ...host, score: chosen.score },
    relaxation: null,
    summary: summarisePlacement(host.hostName, head.candidateCount, head.hostCount),
  };
  return { kind: 'placed', hostId: host.hostId, score: chosen.score, record };
}

function refuse(scan: Scan): Placement {
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
  const head = countRejections(scan);
  const record: PlacementRecord = {
    outcome: 'refused',
    ...head,
    verdicts: nearest.map((index) => verdictOn(scan, index, null)),
    omittedVerdictCount: head.hostCount - nearest.length,
    chosen: null,
    relaxation,
    summary: summariseRefusal(scan, relaxation),
  };
  return { kind: 'refused', record };
}

/** The rejected hosts that are least far from being admitted. */
function nearestRejected({ fleet, filters, rejectedBy }: Scan, countMax: number): readonly number[] {
  const nearest = new NearestHosts(countMax);
  if (countMax === 0) return nearest.indexes();
  for (let index = 0; index < fleet.hostCount; index += 1) {
    if (rejectedBy[index] === FITS) continue;
    let distance = 0;
    for (const filter of filters) if (!filter.admits(index)) distance += filter.distance(index);
    nearest.offer(index, distance);
  }
  return nearest.indexes();
}

function countRejections({
  request,
  fleet,
  filters,
  rejectedBy,
}: Scan): Pick<PlacementRecord, 'needed' | 'hostCount' | 'candidateCount' | 'rejections'> {
  const counts = new Uint32Array(filters.length + 1);
  for (const at of rejectedBy) counts[at] = (counts[at] ?? 0) + 1;
  const { accelerator, hostId } = request;
  return {
    needed: { ...amountsOf(request), accelerator, hostId },
    hostCount: fleet.hostCount,
    candidateCount: counts[FITS] ?? 0,
    rejections: filters
      .map((filter, at) => ({ filter: filter.name, rejected: counts[at + 1] ?? 0 }))
      .filter(({ rejected }) => rejected > 0),
  };
}

function verdictOn({ fleet, filters }: Scan, index: number, score: PlacementScore | null): HostVerdict {
  const objections = filters
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
