import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordVolumeStates } from '../volume/volumes.js';
import { settleUnownedSnapshots, settleUnownedVolumes } from './unowned-volumes.store.js';

/**
 * Volumes and snapshots left in a transitional state by an operation that has ended are settled as what they were, so that nobody has to
 * edit rows. They keep what they hold: nobody knows what is on the pool. Returns how many there were; each is a warning.
 */
export async function reconcileUnownedVolumes(cp: Pick<ControlPlane, 'database' | 'log'>): Promise<number> {
  return withTransaction(cp.database, async (tx) => {
    const volumes = await settleUnownedVolumes(tx);
    for (const { id, project_id: projectId, name, state, operation_id: operationId } of volumes) {
      await recordVolumeStates(tx, [{ volumeId: id, projectId, name }], operationId, state);
      cp.log.error({ volumeId: id, operationId }, 'a volume was left behind by an operation that has ended');
    }
    return volumes.length + (await settleUnownedSnapshots(tx));
  });
}
