import { newId, type OperationId } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordOperation } from '../operations/operation.store.js';
import { ringBell } from '../vm/accepted-operation.js';
import { endVolume } from '../volume/end-volume.js';
import { purgeVolumeOperation } from '../volume/purge-volume.operation.js';
import { takeVolume } from '../volume/take-volume.js';
import { findFreeRetained, lockOverdueTrash } from './volume-trash.store.js';

const VOLUMES_PER_PASS_MAX = 50;
const CREATED_BY = 'trash of storage pools';

/**
 * Empties the trash of volumes that were there for as long as their pool keeps it, by the operation that people ask for too, and ends
 * records that were kept for linked clones which are gone. Several processes may do so at once. Returns how many of both.
 */
export async function reconcileTrash(cp: Pick<ControlPlane, 'database' | 'bell' | 'clock'>): Promise<number> {
  const operationIds = await withTransaction(cp.database, async (tx) => {
    const ids: OperationId[] = [];
    for (const volume of await lockOverdueTrash(tx, VOLUMES_PER_PASS_MAX)) {
      const operationId = newId<OperationId>();
      await recordOperation(tx, {
        definition: purgeVolumeOperation,
        input: await takeVolume(tx, volume, 'trashed', operationId),
        projectId: volume.projectId,
        resourceKind: 'volume',
        resourceId: volume.id,
        createdBy: CREATED_BY,
        now: cp.clock(),
        operationId,
      });
      ids.push(operationId);
    }
    return ids;
  });
  for (const operationId of operationIds) await ringBell(cp, operationId);
  const freed = await withTransaction(cp.database, async (tx) => {
    const retained = await findFreeRetained(tx, VOLUMES_PER_PASS_MAX);
    for (const { id: volumeId, project_id: projectId, name, operation_id: operationId } of retained) {
      await endVolume(tx, operationId, { volumeId, projectId, name });
    }
    return retained.length;
  });
  return operationIds.length + freed;
}
