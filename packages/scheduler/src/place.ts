import { type BoundFilter, firstRejection } from './filter.js';
import { accelerator } from './filters/accelerator.js';
import { capacityDisk } from './filters/capacity-disk.js';
import { capacityMemory } from './filters/capacity-memory.js';
import { capacityVcpus } from './filters/capacity-vcpus.js';
import { connectivity } from './filters/connectivity.js';
import { excluded } from './filters/excluded.js';
import { hostState } from './filters/host-state.js';
import { requestedHost } from './filters/requested-host.js';
import type { Fleet } from './fleet.js';
import { NearestHosts } from './nearest-hosts.js';
import {
  type HostVerdict,
  type Placement,
  type PlacementRecord,
  type PlacementRequest,
  type PlacementScore,
  VERDICT_COUNT_MAX,
} from './placement.js';
import type { Score } from './score.js';
import { acceleratorScore } from './scores/accelerator.js';
import { balance } from './scores/balance.js';
import { pack } from './scores/pack.js';
import { summarisePlacement, summariseRefusal } from './summarise.js';

/** What a person decided comes before what the host has: "cordoned" is a better answer than "lacks memory". */
const FILTERS = [
  requestedHost,
  excluded,
  hostState,
  connectivity,
  accelerator,
  capacityVcpus,
  capacityMemory,
  capacityDisk,
] as const;
const SCORES: readonly Score[] = [acceleratorScore, pack, balance];

/** A placed VM's record is about its candidates first; rejected hosts get the rest of the verdicts. */
const CANDIDATE_VERDICT_COUNT_MAX = 10;

/**
 * Chooses the host for one VM, or says why there is none. Pure: the same request and hosts always give the same answer,
 * in whatever order the hosts come; of equally good hosts the one with the smallest id is taken. The answer is a
 * proposal: the conditional reservation in the database decides between two that race.
 */
export function place(request: PlacementRequest, fleet: Fleet): Placement {
  const filters = FILTERS.map((filter) => filter.bind(request, fleet));
  const rejectedCounts = FILTERS.map(() => 0);
  const candidates = new NearestHosts(VERDICT_COUNT_MAX);
  let candidateCount = 0;
  for (let index = 0; index < fleet.hostCount; index += 1) {
    const rejectedBy = firstRejection(filters, index);
    if (rejectedBy === -1) {
      candidateCount += 1;
      candidates.offer(index, -totalScore(fleet, index, request));
    } else {
      rejectedCounts[rejectedBy] = (rejectedCounts[rejectedBy] ?? 0) + 1;
    }
  }
  const head = {
    needed: neededOf(request),
    hostCount: fleet.hostCount,
    candidateCount,
    rejections: FILTERS.map((filter, at) => ({ filter: filter.name, rejected: rejectedCounts[at] ?? 0 })).filter(
      ({ rejected }) => rejected > 0,
    ),
  };
  const [chosen] = candidates.indexes();
  return chosen === undefined
    ? refuse(request, fleet, filters, head)
    : choose(request, fleet, filters, head, candidates.indexes(), chosen);
}

type RecordHead = Pick<PlacementRecord, 'needed' | 'hostCount' | 'candidateCount' | 'rejections'>;

function choose(
  request: PlacementRequest,
  fleet: Fleet,
  filters: readonly BoundFilter[],
  head: RecordHead,
  candidates: readonly number[],
  chosen: number,
): Placement {
  const rejectedCount = head.hostCount - head.candidateCount;
  const candidateVerdictCount = Math.max(CANDIDATE_VERDICT_COUNT_MAX, VERDICT_COUNT_MAX - rejectedCount);
  const shown = candidates.slice(0, candidateVerdictCount);
  const nearest = nearestRejected(fleet, filters, VERDICT_COUNT_MAX - shown.length);
  const verdicts = [
    ...shown.map((index) => verdictOn(fleet, filters, index, scoreOf(fleet, index, request))),
    ...nearest.map((index) => verdictOn(fleet, filters, index, null)),
  ];
  const score = scoreOf(fleet, chosen, request);
  const host = hostAt(fleet, chosen);
  const record: PlacementRecord = {
    outcome: 'placed',
    ...head,
    verdicts,
    omittedVerdictCount: head.hostCount - verdicts.length,
    chosen: { ...host, score },
    relaxation: null,
    summary: summarisePlacement(host.hostName, head.candidateCount, head.hostCount),
  };
  return { kind: 'placed', hostId: host.hostId, score, record };
}

function refuse(request: PlacementRequest, fleet: Fleet, filters: readonly BoundFilter[], head: RecordHead): Placement {
  const nearest = nearestRejected(fleet, filters, VERDICT_COUNT_MAX);
  const verdicts = nearest.map((index) => verdictOn(fleet, filters, index, null));
  const [first] = nearest;
  const relaxation =
    first === undefined
      ? null
      : {
          ...hostAt(fleet, first),
          changes: filters.filter((filter) => !filter.admits(first)).map((filter) => filter.change(first)),
        };
  const record: PlacementRecord = {
    outcome: 'refused',
    ...head,
    verdicts,
    omittedVerdictCount: head.hostCount - verdicts.length,
    chosen: null,
    relaxation,
    summary: summariseRefusal(request, fleet, filters, relaxation),
  };
  return { kind: 'refused', record };
}

/** The rejected hosts that are least far from being admitted. */
function nearestRejected(fleet: Fleet, filters: readonly BoundFilter[], countMax: number): readonly number[] {
  const nearest = new NearestHosts(countMax);
  for (let index = 0; index < fleet.hostCount; index += 1) {
    let distance = 0;
    for (const filter of filters) if (!filter.admits(index)) distance += filter.distance(index);
    if (distance > 0) nearest.offer(index, distance);
  }
  return nearest.indexes();
}

function verdictOn(
  fleet: Fleet,
  filters: readonly BoundFilter[],
  index: number,
  score: PlacementScore | null,
): HostVerdict {
  const objections = FILTERS.flatMap(({ name }, at) => {
    const filter = filters[at];
    if (filter === undefined || filter.admits(index)) return [];
    const { amount } = filter;
    return [
      { filter: name, reason: filter.reason(index), needed: amount?.needed ?? null, free: amount?.free(index) ?? null },
    ];
  });
  return { ...hostAt(fleet, index), fits: score !== null, score, objections };
}

const totalScore = (fleet: Fleet, index: number, request: PlacementRequest): number => {
  let total = 0;
  for (const score of SCORES) total += score.weight * score.of(fleet, index, request);
  return total;
};

function scoreOf(fleet: Fleet, index: number, request: PlacementRequest): PlacementScore {
  const parts = { accelerator: 0, pack: 0, balance: 0 };
  for (const score of SCORES) parts[score.name] = score.weight * score.of(fleet, index, request);
  return { total: totalScore(fleet, index, request), parts };
}

const hostAt = (fleet: Fleet, index: number): { hostId: string; hostName: string } => ({
  hostId: fleet.hostIds[index] as string,
  hostName: fleet.names[index] as string,
});

const neededOf = (request: PlacementRequest): PlacementRecord['needed'] => ({
  vcpuCount: request.vcpuCount,
  memoryBytes: request.memoryBytes,
  diskBytes: request.diskBytes,
  accelerator: request.accelerator,
  hostId: request.hostId,
});
