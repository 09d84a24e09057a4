import type { ListPlacementsQuery, Page, Placement, PlacementId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { listedProject, notFound, requireProject } from '../token/project-scope.js';
import { findPlacement, findPlacements, type PlacementRow } from './placement.store.js';
import { shownPlacement } from './shown-decision.js';

/** Decisions the actor may see, newest first. */
export async function listPlacements(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  query: ListPlacementsQuery,
): Promise<Page<Placement>> {
  const filter = { projectId: listedProject(actor, query.projectId), vmId: query.vmId, outcome: query.outcome };
  const page = pageOfRows(await findPlacements(cp.database, filter, pageBounds(query)), query);
  return { items: page.items.map((row) => shownPlacement(actor, row)), nextCursor: page.nextCursor };
}

/** Throws not_found, also for a decision that was forgotten by now. */
export async function getPlacement(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  placementId: PlacementId,
): Promise<Placement> {
  return shownPlacement(actor, await visiblePlacement(cp, actor, placementId));
}

export async function visiblePlacement(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  placementId: PlacementId,
): Promise<PlacementRow> {
  const row = await findPlacement(cp.database, placementId);
  if (row === null) throw notFound('the placement');
  requireProject(actor, row.projectId, 'the placement');
  return row;
}
