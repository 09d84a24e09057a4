import { type Amounts, MEMORY_OVERHEAD_BYTES_PER_VM, type PlacementRecord } from '@kvorum/scheduler';
import { type Accelerator, DomainError } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import type { Proposal } from '../host/fleet-snapshot.js';
import { reserve } from '../host/reservation.store.js';

export interface PlacedVm {
  readonly hostId: string;
  readonly accelerator: Accelerator;
  readonly record: PlacementRecord;
  /** Call once the transaction has ended. */
  readonly settle: (end: 'kept' | 'given up') => void;
}

export interface PlaceRequest {
  readonly vmId: string;
  readonly amounts: Amounts;
  readonly accelerator: Accelerator | null;
  readonly hostId: string | null;
}

/** Each loss means that another process took the room meanwhile; more of them in a row is a storm to be waited out. */
const RESERVATION_ATTEMPTS_MAX = 5;
/** Open claims of this process are transactions under way. */
const CLAIMS_WAIT_MS_MAX = 2000;

/**
 * Finds a host and reserves room on it, in the caller's transaction. Throws no_capacity with the scheduler's reasons, never
 * on the strength of old numbers, and unavailable when other processes took the room again and again.
 */
export async function placeVm(tx: Tx, cp: ControlPlane, actor: Actor, request: PlaceRequest): Promise<PlacedVm> {
  const { amounts } = request;
  const needed = { ...amounts, memoryBytes: amounts.memoryBytes + MEMORY_OVERHEAD_BYTES_PER_VM };
  let avoidedHostIds: readonly string[] = [];
  for (let attempt = 1; attempt <= RESERVATION_ATTEMPTS_MAX; attempt += 1) {
    const proposal = await propose(cp, request, needed, avoidedHostIds);
    if (proposal.kind === 'refused') throw noCapacity(actor, proposal.record);
    const { hostId, settle, record } = proposal;
    try {
      const accelerator = await reserve(tx, { ...request, hostId, amounts: needed });
      if (accelerator !== null) return { hostId, accelerator, record, settle };
    } catch (error) {
      settle('given up');
      throw error;
    }
    settle('given up');
    avoidedHostIds = [hostId, ...halfOfCandidates(record)];
  }
  throw new DomainError('unavailable', 'other requests took the room on each host that was chosen; try again');
}

async function propose(
  cp: ControlPlane,
  { vmId, accelerator, hostId }: PlaceRequest,
  needed: Amounts,
  avoidedHostIds: readonly string[],
): Promise<Proposal> {
  const ask = (age: 'recent' | 'fresh', excludedHostIds: readonly string[]): Promise<Proposal> =>
    cp.fleet.propose(vmId, { ...needed, accelerator, hostId, excludedHostIds }, age);
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

/** People of one project are told how many hosts refused and why, not which hosts the site has. */
function noCapacity(actor: Actor, record: PlacementRecord): DomainError {
  if (actor.projectId === null)
    return new DomainError('no_capacity', record.summary, { details: { placement: record } });
  const { needed, hostCount, rejections } = record;
  const reasons = rejections.map(({ filter, rejected }) => `${filter} ${rejected}`).join(', ');
  return new DomainError('no_capacity', `no host has room for it (hosts that refused: ${reasons || 'none'})`, {
    details: { placement: { needed, hostCount, rejections } },
  });
}
