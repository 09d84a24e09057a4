import type { PlacementRecord, PlacementRequest } from '@kvorum/scheduler';
import { DomainError, newId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { MoveClaim, Proposal } from '../host/fleet-snapshot.js';
import { insertPlacement } from '../placement/placement.store.js';
import { summaryOfCounts } from '../placement/shown-decision.js';

/** Each loss means that another process took the room meanwhile; more of them in a row is a storm to be waited out. */
const RESERVATION_ATTEMPTS_MAX = 5;
/** Open claims of this process are transactions under way. */
const CLAIMS_WAIT_MS_MAX = 2000;

export type ProposedHost = Extract<Proposal, { kind: 'placed' }>;
export type RefusedPlacement = Extract<Proposal, { kind: 'refused' }>;

/** Thrown in the transaction that was to reserve the proposed room: somebody else has it. */
export class RoomLost extends Error {}

/**
 * Finds a host and lets `reserve` take room on it in a transaction of its own; nothing is locked while a host is being
 * looked for. When `reserve` throws RoomLost, other hosts are looked for in fresh rows, a bounded number of times. Returns
 * what `reserve` returns, or the refusal, which never rests on old numbers. Throws unavailable when other processes took
 * the room again and again, and what `reserve` throws.
 */
export async function placeAndReserve<Result>(
  cp: Pick<ControlPlane, 'fleet'>,
  vmId: string,
  request: PlacementRequest,
  reserve: (proposed: ProposedHost) => Promise<Result>,
  move?: MoveClaim,
): Promise<{ readonly refusal: null; readonly result: Result } | { readonly refusal: RefusedPlacement }> {
  let avoidedHostIds: readonly string[] = [];
  for (let attempt = 1; attempt <= RESERVATION_ATTEMPTS_MAX; attempt += 1) {
    const proposal = await propose(cp, vmId, request, avoidedHostIds, move);
    if (proposal.kind === 'refused') return { refusal: proposal };
    let end: 'kept' | 'given up' = 'given up';
    try {
      const result = await reserve(proposal);
      end = 'kept';
      return { refusal: null, result };
    } catch (error) {
      if (!(error instanceof RoomLost)) throw error;
      avoidedHostIds = [proposal.hostId, ...halfOfCandidates(proposal.record)];
    } finally {
      proposal.settle(end);
    }
  }
  throw new DomainError('unavailable', 'other requests took the room on each host that was chosen; try again');
}

async function propose(
  cp: Pick<ControlPlane, 'fleet'>,
  vmId: string,
  request: PlacementRequest,
  avoidedHostIds: readonly string[],
  move: MoveClaim | undefined,
): Promise<Proposal> {
  const ask = (age: 'recent' | 'fresh', avoided: readonly string[]): Promise<Proposal> =>
    cp.fleet.propose(vmId, { ...request, excludedHostIds: [...request.excludedHostIds, ...avoided] }, age, move);
  const first = await ask(avoidedHostIds.length === 0 ? 'recent' : 'fresh', avoidedHostIds);
  if (first.kind === 'placed') return first;
  // A refusal must rest on what is true now: without claims that may yet be given up, and on numbers read after that.
  await Promise.race([cp.fleet.claimsSettled(), timeout(CLAIMS_WAIT_MS_MAX)]);
  return ask('fresh', []);
}

/**
 * Processes that lost a race would all choose the same next host and lose again, for the scheduler is deterministic. Each
 * leaves out another half of the best hosts, so that they part.
 */
const halfOfCandidates = (record: PlacementRecord): string[] =>
  record.verdicts.filter(({ fits }) => fits && Math.random() < 0.5).map(({ hostId }) => hostId);

const timeout = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

/** What was asked for, and by whom: kept with a refusal, for there is no VM to ask. */
export interface RefusedRequest {
  readonly projectId: string;
  readonly vmName: string;
}

/**
 * Keeps a refusal, in a transaction of its own as the request's is rolled back, and returns the error that tells of it.
 * People of one project are told how many hosts refused and why, not which hosts the site has.
 */
export async function recordRefusal(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  { record, evidence }: RefusedPlacement,
  asked: RefusedRequest,
): Promise<DomainError> {
  const placementId = newId();
  const requestedBy = actor.tokenName;
  await insertPlacement(cp.database, { id: placementId, vmId: null, requestedBy, record, evidence, ...asked });
  if (actor.projectId === null)
    return new DomainError('no_capacity', record.summary, { details: { placementId, placement: record } });
  const { needed, hostCount, rejections } = record;
  return new DomainError('no_capacity', summaryOfCounts(record), {
    details: { placementId, placement: { needed, hostCount, rejections } },
  });
}
