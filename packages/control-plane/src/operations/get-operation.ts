import type { Operation } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { findOperation } from './operation.store.js';
import { toOperation } from './operation-row.js';

export async function getOperation(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  operationId: string,
): Promise<Operation> {
  const row = await findOperation(cp.database, operationId);
  if (row === null) throw notFound('the operation');
  requireProject(actor, row.projectId, 'the operation');
  return toOperation(row);
}
