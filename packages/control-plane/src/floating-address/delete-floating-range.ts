import { DomainError, type FloatingRangeId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { requireWholeSite } from '../token/project-scope.js';
import { deleteFloatingRangeRow, lockFloatingRange } from './floating-range.store.js';
import { presentRange, recordRangeChange } from './floating-ranges.js';

/** Throws not_found, and in_use while projects have addresses of it. */
export async function deleteFloatingRange(cp: ControlPlane, actor: Actor, rangeId: FloatingRangeId): Promise<void> {
  requireWholeSite(actor);
  await withTransaction(cp.database, async (tx) => {
    const range = presentRange(await lockFloatingRange(tx, rangeId));
    const { allocatedCount } = range;
    if (allocatedCount > 0) {
      throw new DomainError('in_use', `projects have ${allocatedCount} addresses of the range; release them first`, {
        details: { allocatedCount },
      });
    }
    await deleteFloatingRangeRow(tx, rangeId);
    await recordRangeChange(tx, actor, range, 'deleted');
  });
}
