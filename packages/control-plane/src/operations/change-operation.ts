import { DomainError, type Operation } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { findOperation, lockOperation } from './operation.store.js';
import { type OperationWithSteps, toOperation } from './operation-row.js';

/**
 * The frame of what a person may ask of an operation: find it, lock it, let `change` refuse or write, and wake a worker.
 * The lock is what a worker's next write waits for, so a request and a step's beginning never pass each other unseen.
 */
export async function changeOperation(
  cp: Pick<ControlPlane, 'database' | 'bell'>,
  actor: Actor,
  operationId: string,
  change: (tx: Tx, row: OperationWithSteps) => Promise<unknown>,
): Promise<Operation> {
  const changed = await withTransaction(cp.database, async (tx) => {
    const row = await lockOperation(tx, operationId);
    if (row === null) throw notFound('the operation');
    requireProject(actor, row.projectId, 'the operation');
    await change(tx, row);
    return findOperation(tx, operationId);
  });
  if (changed === null) throw notFound('the operation');
  await cp.bell.ring(operationId);
  return toOperation(changed);
}

export const refusal = (row: OperationWithSteps, verb: string, reason: string): DomainError =>
  new DomainError('conflict_state', `${verb} is not possible while the operation is ${row.state}; ${reason}`, {
    details: { state: row.state },
  });

export const NO_WAY_BACK = 'a step that cannot be undone has begun, so it can only go on';
