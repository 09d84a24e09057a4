import type { FloatingRange, FloatingRangeId, ListFloatingRangesQuery, Page } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { notFound } from '../token/project-scope.js';
import { findFloatingRange, findFloatingRanges } from './floating-range.store.js';

/** Ranges are of the site: whoever takes addresses of them may see them. */
export async function listFloatingRanges(
  cp: ControlPlane,
  query: ListFloatingRangesQuery,
): Promise<Page<FloatingRange>> {
  return pageOfRows(await findFloatingRanges(cp.database, { name: query.name }, pageBounds(query)), query);
}

export async function getFloatingRange(cp: ControlPlane, rangeId: FloatingRangeId): Promise<FloatingRange> {
  return presentRange(await findFloatingRange(cp.database, rangeId));
}

export function presentRange(range: FloatingRange | null): FloatingRange {
  if (range === null) throw notFound('the range of floating addresses');
  return range;
}

export const recordRangeChange = (
  tx: Tx,
  actor: Actor,
  range: FloatingRange,
  what: 'created' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `floating-range.${what}`,
    projectId: null,
    resourceKind: 'floating-range',
    resourceId: range.id,
    data: { name: range.name, first: range.firstAddress, last: range.lastAddress, by: actor.tokenName },
  });
