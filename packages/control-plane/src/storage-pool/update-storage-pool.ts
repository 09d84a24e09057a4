import type { StoragePool, StoragePoolId, UpdateStoragePoolRequest } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { requireGeneration } from '../require-generation.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { findPool, lockPool, writePool } from './storage-pool.store.js';

/**
 * Changes how much a pool may promise and how long it keeps its trash. A lower ratio takes nothing away: it stops what is new. Throws
 * not_found, forbidden, precondition_failed.
 */
export async function updateStoragePool(
  cp: ControlPlane,
  actor: Actor,
  poolId: StoragePoolId,
  request: UpdateStoragePoolRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<StoragePool> {
  requireWholeSite(actor);
  const { description, overcommitRatio, trashKeepDays } = request;
  return withTransaction(cp.database, async (tx) => {
    const before = await lockPool(tx, poolId);
    if (before === null) throw notFound('the storage pool');
    requireGeneration('storage pool', before, options.ifMatch);
    await writePool(tx, poolId, { description, overcommitRatio, trashKeepDays, now: cp.clock() });
    await recordEvent(tx, {
      type: 'storage-pool.changed',
      projectId: null,
      resourceKind: 'storage-pool',
      resourceId: poolId,
      data: { name: before.name, overcommitRatio, trashKeepDays, by: actor.tokenName },
    });
    const after = await findPool(tx, poolId);
    if (after === null) throw new TypeError(`storage pool ${poolId} is locked`);
    return after;
  });
}
