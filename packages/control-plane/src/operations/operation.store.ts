import {
  newId,
  type Operation,
  type OperationId,
  type OperationState,
  type ProjectId,
  type StoredError,
} from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { type NewEvent, recordEvent, recordEvents } from '../event/event.store.js';
import type { PageBounds } from '../page-cursor.js';
import type { NamedStep, OperationDefinition } from './define-operation.js';
import { OPERATION_WITH_STEPS, type OperationWithSteps } from './operation-row.js';

export interface NewOperation<Input, Services> {
  readonly definition: OperationDefinition<Input, Services>;
  readonly input: Input;
  readonly projectId: string | null;
  readonly resourceKind: Operation['resourceKind'];
  readonly resourceId: string;
  /** Shown to people: the name of the token that asked. */
  readonly createdBy: string;
  readonly now: Date;
  /** Given when the id was needed beforehand, as by an idempotency key. */
  readonly operationId?: OperationId;
}

/**
 * Writes an operation with all its steps, in the transaction of the mutation that asks for it. Ring the bell after the
 * commit; if that ring is lost, the reconciler of unattended operations rings.
 */
export async function recordOperation<Input, Services>(
  tx: Tx,
  wanted: NewOperation<Input, Services>,
): Promise<OperationId> {
  const operationId = wanted.operationId ?? newId<OperationId>();
  await recordOperations(tx, [{ ...wanted, operationId }]);
  return operationId;
}

/** As recordOperation, for many. Returns them as the API shows them: reading them back would cost as much as writing them. */
export async function recordOperations<Input, Services>(
  tx: Tx,
  all: readonly (NewOperation<Input, Services> & { readonly operationId: OperationId })[],
): Promise<Operation[]> {
  await tx.$executeRaw`
    INSERT INTO operations (id, kind, project_id, resource_kind, resource_id, state, input, created_by, created_at,
                            deadline_at, unwind_deadline_at, deadline_ms, unwind_deadline_ms)
    SELECT id, kind, "projectId", "resourceKind", "resourceId", 'queued', input, "createdBy", "createdAt",
           "deadlineAt", "unwindDeadlineAt", "deadlineMs", "unwindDeadlineMs"
      FROM jsonb_to_recordset(${JSON.stringify(all.map(operationRowOf))}::jsonb)
        AS o (id uuid, kind text, "projectId" uuid, "resourceKind" text, "resourceId" uuid, input jsonb,
              "createdBy" text, "createdAt" timestamptz, "deadlineAt" timestamptz, "unwindDeadlineAt" timestamptz,
              "deadlineMs" int, "unwindDeadlineMs" int)`;
  const steps = all.flatMap(({ operationId, definition }) =>
    definition.steps.map(({ name, step }, index) => ({ operationId, index, name, canUndo: canUndo(step) })),
  );
  await tx.$executeRaw`
    INSERT INTO operation_steps (operation_id, index, name, can_undo, state)
    SELECT "operationId", index, name, "canUndo", 'pending'
      FROM jsonb_to_recordset(${JSON.stringify(steps)}::jsonb)
        AS s ("operationId" uuid, index int, name text, "canUndo" boolean)`;
  await recordEvents(
    tx,
    all.map((wanted) =>
      stateEventOf({ id: wanted.operationId, kind: wanted.definition.kind, ...pickResource(wanted) }, 'queued', null),
    ),
  );
  return all.map(queuedOperation);
}

/** What `toOperation` makes of the rows just written. */
const queuedOperation = <Input, Services>({
  operationId,
  definition,
  projectId,
  resourceKind,
  resourceId,
  createdBy,
  now,
}: NewOperation<Input, Services> & { readonly operationId: OperationId }): Operation => ({
  id: operationId,
  kind: definition.kind,
  projectId: projectId as ProjectId | null,
  resourceKind,
  resourceId,
  state: 'queued',
  steps: definition.steps.map(({ name, step }, index) => ({
    index,
    name,
    state: 'pending',
    attempt: 0,
    canUndo: canUndo(step),
    error: null,
    startedAt: null,
    finishedAt: null,
  })),
  progress: null,
  isCancellable: true,
  error: null,
  createdBy,
  createdAt: now.toISOString(),
  startedAt: null,
  finishedAt: null,
  deadlineAt: new Date(now.getTime() + definition.deadlineMs).toISOString(),
});

const canUndo = <Services>({ undo }: NamedStep<Services>['step']): boolean =>
  typeof undo === 'function' || undo.kind === 'nothing';

function operationRowOf<Input, Services>(wanted: NewOperation<Input, Services> & { operationId: OperationId }) {
  const { definition, now } = wanted;
  const deadlineAt = new Date(now.getTime() + definition.deadlineMs);
  return {
    id: wanted.operationId,
    kind: definition.kind,
    ...pickResource(wanted),
    input: definition.inputShape.parse(wanted.input),
    createdBy: wanted.createdBy,
    createdAt: now,
    deadlineAt,
    unwindDeadlineAt: new Date(deadlineAt.getTime() + definition.unwindDeadlineMs),
    deadlineMs: definition.deadlineMs,
    unwindDeadlineMs: definition.unwindDeadlineMs,
  };
}

const pickResource = (of: { projectId: string | null; resourceKind: string; resourceId: string }) => ({
  projectId: of.projectId,
  resourceKind: of.resourceKind,
  resourceId: of.resourceId,
});

/** Which operation an event is about, and whose. */
export interface OperationIdentity {
  readonly id: string;
  readonly kind: string;
  readonly projectId: string | null;
  readonly resourceKind: string;
  readonly resourceId: string;
}

/** Every change of an operation's state is an event of the same transaction. */
export const recordOperationState = (
  tx: Tx,
  operation: OperationIdentity,
  state: OperationState,
  error: StoredError | null,
): Promise<void> => recordEvent(tx, stateEventOf(operation, state, error));

const stateEventOf = (operation: OperationIdentity, state: OperationState, error: StoredError | null): NewEvent => ({
  type: 'operation.state',
  projectId: operation.projectId,
  resourceKind: 'operation',
  resourceId: operation.id,
  data: {
    state,
    kind: operation.kind,
    resourceKind: operation.resourceKind,
    resourceId: operation.resourceId,
    ...(error === null ? {} : { error: { code: error.code, message: error.message } }),
  },
});

export const findOperation = (database: Database | Tx, id: string): Promise<OperationWithSteps | null> =>
  database.operation.findUnique({ where: { id }, ...OPERATION_WITH_STEPS });

/**
 * Reads an operation and keeps others from changing it until the transaction ends. The lock is a statement of its own:
 * what is read after it, steps included, is read with a snapshot taken once the lock was held.
 */
export async function lockOperation(tx: Tx, id: string): Promise<OperationWithSteps | null> {
  await tx.$executeRaw`SELECT FROM operations WHERE id = ${id}::uuid FOR UPDATE`;
  return findOperation(tx, id);
}

export interface OperationFilter {
  readonly projectId: string | null;
  readonly state: OperationState | undefined;
  readonly kind: string | undefined;
  readonly resourceId: string | undefined;
}

/** Newest first: what people look for is what has just happened. `afterId`: the last one they saw. */
export const listOperationRows = (
  database: Database,
  filter: OperationFilter,
  page: PageBounds,
): Promise<OperationWithSteps[]> =>
  database.operation.findMany({
    where: {
      ...(page.afterId === null ? {} : { id: { lt: page.afterId } }),
      ...(filter.projectId === null ? {} : { projectId: filter.projectId }),
      ...(filter.state === undefined ? {} : { state: filter.state }),
      ...(filter.kind === undefined ? {} : { kind: filter.kind }),
      ...(filter.resourceId === undefined ? {} : { resourceId: filter.resourceId }),
    },
    orderBy: { id: 'desc' },
    take: page.rowCountMax,
    ...OPERATION_WITH_STEPS,
  });

/** `not_before = now()`: a request of a person ends the wait of a backoff. */
export const markCancelRequested = (tx: Tx, id: string): Promise<number> =>
  tx.$executeRaw`
    UPDATE operations SET cancel_requested_at = now(), not_before = now() WHERE id = ${id}::uuid`;

/** Stuck, and now on again the way it went, with the clock of that way started anew. */
export async function markResumed(tx: Tx, row: OperationWithSteps): Promise<void> {
  const isUnwinding = row.unwindCause !== null;
  const state = isUnwinding ? 'unwinding' : 'running';
  await tx.$executeRaw`
    UPDATE operations SET
      state = ${state}, error = unwind_cause, not_before = now(), lease_owner = NULL, lease_expires_at = NULL,
      deadline_at = CASE WHEN ${isUnwinding} THEN deadline_at ELSE now() + deadline_ms * interval '1 millisecond' END,
      unwind_deadline_at = CASE WHEN ${isUnwinding} THEN now() + unwind_deadline_ms * interval '1 millisecond'
                           ELSE unwind_deadline_at END
    WHERE id = ${row.id}::uuid AND state = 'stuck'`;
  await recordOperationState(tx, row, state, row.unwindCause as StoredError | null);
}

/**
 * Turns an operation round from outside. The token grows and the lease is gone, so whoever worked on it is fenced here and
 * at the agent, and its next heartbeat tells it to stop.
 */
export async function markUnwinding(tx: Tx, row: OperationWithSteps, cause: StoredError): Promise<void> {
  await tx.$executeRaw`
    UPDATE operations SET
      state = 'unwinding', error = ${JSON.stringify(cause)}::jsonb, unwind_cause = ${JSON.stringify(cause)}::jsonb,
      lease_token = lease_token + 1, lease_owner = NULL, lease_expires_at = NULL, not_before = now(),
      unwind_deadline_at = now() + unwind_deadline_ms * interval '1 millisecond'
    WHERE id = ${row.id}::uuid`;
  await recordOperationState(tx, row, 'unwinding', cause);
}
