import { DomainError, type VmGroupId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { deleteVmGroupRow, findVmsOfGroup, lockVmGroupToDelete } from './vm-group.store.js';
import { recordVmGroupChange, visibleVmGroup } from './vm-groups.js';

const VMS_NAMED_MAX = 5;

/** Throws not_found, and in_use while VMs are in it. */
export async function deleteVmGroup(cp: ControlPlane, actor: Actor, groupId: VmGroupId): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const group = visibleVmGroup(actor, await lockVmGroupToDelete(tx, groupId));
    if (group.vmCount > 0) {
      const vms = await findVmsOfGroup(tx, groupId, VMS_NAMED_MAX);
      const names = vms.map(({ vmName }) => vmName).join(', ') + (group.vmCount > vms.length ? ', …' : '');
      throw new DomainError('in_use', `${group.vmCount} VMs are in this group (${names}); take them out first`, {
        details: { vmCount: group.vmCount, vms },
      });
    }
    await deleteVmGroupRow(tx, groupId);
    await recordVmGroupChange(tx, actor, group, 'deleted');
  });
}
