import type { ListOperationsQuery, Operation, Page } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { listedProject } from '../token/project-scope.js';
import { listOperationRows } from './operation.store.js';
import { toOperation } from './operation-row.js';

/** Operations the actor may see, newest first. */
export async function listOperations(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  query: ListOperationsQuery,
): Promise<Page<Operation>> {
  const filter = {
    projectId: listedProject(actor, query.projectId),
    state: query.state,
    kind: query.kind,
    resourceId: query.resourceId,
  };
  const page = pageOfRows(await listOperationRows(cp.database, filter, pageBounds(query)), query);
  return { items: page.items.map(toOperation), nextCursor: page.nextCursor };
}
