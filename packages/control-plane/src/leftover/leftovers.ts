import type { Leftover, ListLeftoversQuery, Page } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { requireWholeSite } from '../token/project-scope.js';
import { findLeftovers } from './leftover.store.js';

/** As hosts told of them last. Throws forbidden. */
export async function listLeftovers(
  cp: ControlPlane,
  actor: Actor,
  query: ListLeftoversQuery,
): Promise<Page<Leftover>> {
  requireWholeSite(actor);
  return pageOfRows(await findLeftovers(cp.database, query.hostId ?? null, pageBounds(query)), query);
}
