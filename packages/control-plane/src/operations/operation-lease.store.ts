import type { OperationState } from '@kvorum/schema';
import { type Database, type Tx, withTransaction } from '../database/database.js';
import type { UnattendedOperation } from './bell.js';
import type { Json } from './define-operation.js';
import { recordOperationState } from './operation.store.js';
import { OPERATION_WITH_STEPS, type OperationWithSteps } from './operation-row.js';

/** What every write of a worker is guarded by. */
export interface Lease {
  readonly operationId: string;
  /** Fences: grows with each claim and when unwinding begins. Below 2^53 at a billion takeovers a second for 100 days. */
  readonly token: number;
}

export interface Claim {
  readonly lease: Lease;
  readonly row: OperationWithSteps;
  readonly input: Json;
  /** By step index; only of steps that finished. */
  readonly outputs: ReadonlyMap<number, Json>;
  /** Until deadline_at and unwind_deadline_at by the clock of the database, in ms; negative: passed. */
  readonly remainingMs: number;
  readonly unwindRemainingMs: number;
}

export interface ClaimRequest {
  readonly operationId: string;
  /** Unique to this claim: heartbeats and giving up go by it. */
  readonly owner: string;
  readonly leaseMs: number;
  /** Kinds this worker knows; others are left to newer workers. */
  readonly kinds: readonly string[];
}

/**
 * Takes the lease, or returns null: ended, stuck, too early, unknown here, or held by somebody who is alive.
 *
 * One conditional UPDATE decides: of two at the same time the second waits for the row lock, sees the condition again on
 * the new row version, and finds a live lease. All times are the database's, so clocks of workers do not matter.
 */
export const claimOperation = (database: Database, request: ClaimRequest): Promise<Claim | null> =>
  withTransaction(database, async (tx) => {
    const claimed = await tx.$queryRaw<{ token: bigint; input: Json; state: OperationState }[]>`
      UPDATE operations SET
        lease_owner = ${request.owner}, lease_token = lease_token + 1,
        lease_expires_at = clock_timestamp() + ${request.leaseMs} * interval '1 millisecond',
        started_at = COALESCE(started_at, now())
      WHERE id = ${request.operationId}::uuid AND state IN ('queued', 'running', 'unwinding')
        AND not_before <= clock_timestamp()
        AND (lease_expires_at IS NULL OR lease_expires_at <= clock_timestamp())
        AND kind = ANY (${request.kinds}::text[])
      RETURNING lease_token AS token, input, state`;
    const found = claimed[0];
    if (found === undefined) return null;
    if (found.state === 'queued') {
      await tx.$executeRaw`UPDATE operations SET state = 'running' WHERE id = ${request.operationId}::uuid`;
    }
    const row = await tx.operation.findUniqueOrThrow({ where: { id: request.operationId }, ...OPERATION_WITH_STEPS });
    if (found.state === 'queued') await recordOperationState(tx, row, 'running', null);
    return {
      lease: { operationId: request.operationId, token: Number(found.token) },
      row,
      input: found.input,
      outputs: await readOutputs(tx, request.operationId),
      ...(await readRemaining(tx, request.operationId)),
    };
  });

async function readOutputs(tx: Tx, operationId: string): Promise<Map<number, Json>> {
  const rows = await tx.$queryRaw<{ index: number; output: Json }[]>`
    SELECT index, output FROM operation_steps WHERE operation_id = ${operationId}::uuid AND output IS NOT NULL`;
  return new Map(rows.map((row) => [row.index, row.output]));
}

async function readRemaining(tx: Tx, operationId: string): Promise<{ remainingMs: number; unwindRemainingMs: number }> {
  const [row] = await tx.$queryRaw<{ forward: number; backward: number }[]>`
    SELECT (EXTRACT(EPOCH FROM deadline_at - clock_timestamp()) * 1000)::float8 AS forward,
           (EXTRACT(EPOCH FROM unwind_deadline_at - clock_timestamp()) * 1000)::float8 AS backward
    FROM operations WHERE id = ${operationId}::uuid`;
  return { remainingMs: row?.forward ?? 0, unwindRemainingMs: row?.backward ?? 0 };
}

/** Owners whose leases now last another `leaseMs`; those missing have lost theirs. */
export async function extendLeases(
  database: Database,
  owners: ReadonlyMap<string, string>,
  leaseMs: number,
): Promise<Set<string>> {
  const rows = await database.$queryRaw<{ owner: string }[]>`
    UPDATE operations SET lease_expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    FROM unnest(${[...owners.values()]}::uuid[], ${[...owners.keys()]}::text[]) AS held (id, owner)
    WHERE operations.id = held.id AND operations.lease_owner = held.owner
      AND operations.state IN ('queued', 'running', 'unwinding')
    RETURNING held.owner`;
  return new Set(rows.map((row) => row.owner));
}

/** What became of operations held here: who holds them now, and whether somebody wants them cancelled. */
export const readHeld = (
  database: Database,
  operationIds: readonly string[],
): Promise<{ id: string; owner: string | null; isCancelRequested: boolean }[]> =>
  database.$queryRaw`
    SELECT id, lease_owner AS owner, cancel_requested_at IS NOT NULL AS "isCancelRequested"
    FROM operations WHERE id = ANY (${operationIds}::uuid[])`;

/** Lets another worker take over at once; nothing happens if the lease is lost already. */
export const giveUpLease = (database: Database, lease: Lease): Promise<number> =>
  database.$executeRaw`
    UPDATE operations SET lease_owner = NULL, lease_expires_at = NULL
    WHERE id = ${lease.operationId}::uuid AND lease_token = ${lease.token} AND state IN ('queued', 'running', 'unwinding')`;

/** Active operations that may be worked on and are not, the longest waiting first. */
export async function findUnattendedOperations(
  database: Database,
  rowCountMax: number,
): Promise<UnattendedOperation[]> {
  const rows = await database.$queryRaw<{ id: string; token: bigint }[]>`
    SELECT id, lease_token AS token FROM operations
    WHERE state IN ('queued', 'running', 'unwinding') AND not_before <= now()
      AND (lease_expires_at IS NULL OR lease_expires_at <= now())
    ORDER BY not_before LIMIT ${rowCountMax}`;
  return rows.map((row) => ({ operationId: row.id, leaseToken: Number(row.token) }));
}

/**
 * For a step with an effect outside the database that only one worker may have: true while the lease is still this one, and it
 * stays so until the transaction ends, for a takeover waits for the row.
 */
export async function holdLease(tx: Tx, operationId: string, token: number): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM operations WHERE id = ${operationId}::uuid AND lease_token = ${token} FOR UPDATE`;
  return rows.length === 1;
}
