import type { Progress, StepState, StoredError } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import type { Json } from './define-operation.js';
import { LeaseLost } from './lease-lost.js';
import { recordOperationState } from './operation.store.js';
import type { Lease } from './operation-lease.store.js';
import type { OperationWithSteps } from './operation-row.js';

/** The operation being worked on, and the lease that lets us write. */
export interface Held {
  readonly lease: Lease;
  readonly row: OperationWithSteps;
}

export interface StepAt {
  readonly index: number;
  readonly name: string;
}

/**
 * Each function below begins with an UPDATE of the operation's row guarded by the lease token. It locks the row until the
 * transaction ends, so no claim, cancel or unwind can come between it and what follows; no row means that the lease is
 * lost, and the transaction is rolled back by throwing.
 */
const requireOne = (changed: number, lease: Lease): void => {
  if (changed === 0) throw new LeaseLost(lease.operationId);
};

const touch = async (tx: Tx, lease: Lease): Promise<void> =>
  requireOne(
    await tx.$executeRaw`
      UPDATE operations SET lease_token = lease_token
      WHERE id = ${lease.operationId}::uuid AND lease_token = ${lease.token} AND state IN ('running', 'unwinding')`,
    lease,
  );

const recordStep = (tx: Tx, { row }: Held, step: StepAt, state: StepState, error: StoredError | null): Promise<void> =>
  recordEvent(tx, {
    type: 'operation.step',
    projectId: row.projectId,
    resourceKind: 'operation',
    resourceId: row.id,
    data: {
      index: step.index,
      name: step.name,
      state,
      ...(error === null ? {} : { error: { code: error.code, message: error.message } }),
    },
  });

/**
 * Written before a step runs or is undone, so that an interrupted one is known as begun. Returns false, and begins nothing,
 * if the step cannot be undone and a cancel was requested meanwhile: whichever of the two comes first holds.
 */
export async function beginStep(
  tx: Tx,
  held: Held,
  step: StepAt & { readonly canUndo: boolean },
  state: 'running' | 'undoing',
  progress: Progress,
): Promise<boolean> {
  await touch(tx, held.lease);
  const begun = await tx.$executeRaw`
    UPDATE operations SET progress = ${JSON.stringify(progress)}::jsonb
    WHERE id = ${held.lease.operationId}::uuid AND (${step.canUndo} OR cancel_requested_at IS NULL OR EXISTS (
      SELECT FROM operation_steps WHERE operation_id = operations.id AND NOT can_undo AND operation_steps.state <> 'pending'))`;
  if (begun === 0) return false;
  await tx.$executeRaw`
    UPDATE operation_steps SET
      attempt = CASE WHEN ${state} = 'undoing' AND state <> 'undoing' THEN 1 ELSE attempt + 1 END,
      state = ${state}, started_at = COALESCE(started_at, now())
    WHERE operation_id = ${held.lease.operationId}::uuid AND index = ${step.index}`;
  await recordStep(tx, held, step, state, null);
  return true;
}

/** `output` undefined: the step has none. */
export async function finishStep(
  tx: Tx,
  held: Held,
  step: StepAt,
  state: 'done' | 'undone',
  output: Json | undefined,
): Promise<void> {
  await touch(tx, held.lease);
  const stored = output === undefined ? null : JSON.stringify(output);
  await tx.$executeRaw`
    UPDATE operation_steps SET state = ${state}, error = NULL, finished_at = now(),
      output = CASE WHEN ${state} = 'done' THEN ${stored}::jsonb ELSE output END
    WHERE operation_id = ${held.lease.operationId}::uuid AND index = ${step.index}`;
  await recordStep(tx, held, step, state, null);
}

async function noteFailure(tx: Tx, held: Held, step: StepAt, state: 'failed' | 'undoing', error: StoredError) {
  await tx.$executeRaw`
    UPDATE operation_steps SET state = ${state}, error = ${JSON.stringify(error)}::jsonb
    WHERE operation_id = ${held.lease.operationId}::uuid AND index = ${step.index}`;
  await recordStep(tx, held, step, state, error);
}

/** A failed attempt that will be repeated: the lease is given up and nobody may claim it before `delayMs`, or its deadline. */
export async function postponeStep(
  tx: Tx,
  held: Held,
  step: StepAt,
  failure: { readonly state: 'failed' | 'undoing'; readonly error: StoredError; readonly delayMs: number },
): Promise<void> {
  requireOne(
    await tx.$executeRaw`
      UPDATE operations SET lease_owner = NULL, lease_expires_at = NULL, not_before = LEAST(
        clock_timestamp() + ${failure.delayMs} * interval '1 millisecond',
        CASE WHEN state = 'unwinding' THEN unwind_deadline_at ELSE deadline_at END,
        CASE WHEN cancel_requested_at IS NOT NULL AND state = 'running' THEN now() END)
      WHERE id = ${held.lease.operationId}::uuid AND lease_token = ${held.lease.token}
        AND state IN ('running', 'unwinding')`,
    held.lease,
  );
  await noteFailure(tx, held, step, failure.state, failure.error);
}

/** The step whose failure ends this way of the operation, if it was one. */
export interface FailedStep {
  readonly step: StepAt;
  readonly state: 'failed' | 'undoing';
  readonly error: StoredError;
}

/** Turns to unwinding under a new token, which the same worker goes on with; calls of the forward way are fenced by it. */
export async function turnToUnwinding(
  tx: Tx,
  held: Held,
  cause: StoredError,
  failed: FailedStep | null,
): Promise<Lease> {
  const stored = JSON.stringify(cause);
  const turned = await tx.$queryRaw<{ token: bigint }[]>`
    UPDATE operations SET
      state = 'unwinding', error = ${stored}::jsonb, unwind_cause = ${stored}::jsonb, lease_token = lease_token + 1,
      unwind_deadline_at = clock_timestamp() + unwind_deadline_ms * interval '1 millisecond'
    WHERE id = ${held.lease.operationId}::uuid AND lease_token = ${held.lease.token} AND state = 'running'
    RETURNING lease_token AS token`;
  const token = turned[0]?.token;
  if (token === undefined) throw new LeaseLost(held.lease.operationId);
  if (failed !== null) await noteFailure(tx, held, failed.step, failed.state, failed.error);
  await recordOperationState(tx, held.row, 'unwinding', cause);
  return { operationId: held.lease.operationId, token: Number(token) };
}

/** Stuck: waits for a person. Steps stay as they are, so that resume and unwind go on from the truth. */
export async function parkOperation(tx: Tx, held: Held, error: StoredError, failed: FailedStep | null): Promise<void> {
  requireOne(
    await tx.$executeRaw`
      UPDATE operations SET state = 'stuck', error = ${JSON.stringify(error)}::jsonb,
        lease_owner = NULL, lease_expires_at = NULL
      WHERE id = ${held.lease.operationId}::uuid AND lease_token = ${held.lease.token}
        AND state IN ('running', 'unwinding')`,
    held.lease,
  );
  if (failed !== null) await noteFailure(tx, held, failed.step, failed.state, failed.error);
  await recordOperationState(tx, held.row, 'stuck', error);
}

/** The end. What `settle` does to the object happens in the same transaction, after this. */
export async function endOperation(
  tx: Tx,
  held: Held,
  end: { readonly state: 'succeeded' | 'failed' | 'cancelled'; readonly error: StoredError | null },
  failed: FailedStep | null,
): Promise<void> {
  const error = end.error === null ? null : JSON.stringify(end.error);
  requireOne(
    await tx.$executeRaw`
      UPDATE operations SET state = ${end.state}, error = ${error}::jsonb, finished_at = now(),
        lease_owner = NULL, lease_expires_at = NULL
      WHERE id = ${held.lease.operationId}::uuid AND lease_token = ${held.lease.token}
        AND state IN ('running', 'unwinding')`,
    held.lease,
  );
  if (failed !== null) await noteFailure(tx, held, failed.step, failed.state, failed.error);
  await recordOperationState(tx, held.row, end.state, end.error);
}

/** Settling failed in a way that may pass: tried again later, with the steps as they are. */
export const postponeEnd = async (tx: Tx, held: Held, delayMs: number): Promise<void> =>
  requireOne(
    await tx.$executeRaw`
      UPDATE operations SET lease_owner = NULL, lease_expires_at = NULL,
        not_before = clock_timestamp() + ${delayMs} * interval '1 millisecond'
      WHERE id = ${held.lease.operationId}::uuid AND lease_token = ${held.lease.token}
        AND state IN ('running', 'unwinding')`,
    held.lease,
  );

/** Shown to people who wait; losing one does no harm, so a lost lease is not even an error here. */
export async function writeProgress(tx: Tx, held: Held, progress: Progress): Promise<void> {
  const written = await tx.$executeRaw`
    UPDATE operations SET progress = ${JSON.stringify(progress)}::jsonb
    WHERE id = ${held.lease.operationId}::uuid AND lease_token = ${held.lease.token} AND state IN ('running', 'unwinding')`;
  if (written === 0) return;
  await recordEvent(tx, {
    type: 'operation.progress',
    projectId: held.row.projectId,
    resourceKind: 'operation',
    resourceId: held.row.id,
    data: { ...progress },
  });
}
