import { DomainError, type SecurityGroupId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { countUsesOfGroup, deleteSecurityGroupRow, lockSecurityGroup } from './security-group.store.js';
import { recordGroupChange, visibleGroup } from './security-groups.js';

/** Throws not_found, and in_use while ports have it or rules of other groups name it. */
export async function deleteSecurityGroup(cp: ControlPlane, actor: Actor, groupId: SecurityGroupId): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const group = visibleGroup(actor, await lockSecurityGroup(tx, groupId));
    const { portCount, groupNames } = await countUsesOfGroup(tx, groupId);
    if (portCount > 0) {
      throw new DomainError('in_use', `${portCount} ports have this group; take it from them first`, {
        details: { portCount },
      });
    }
    if (groupNames.length > 0) {
      throw new DomainError('in_use', `rules of ${groupNames.join(', ')} name this group; change them first`, {
        details: { groupNames },
      });
    }
    await deleteSecurityGroupRow(tx, groupId);
    await recordGroupChange(tx, actor, group, 'deleted');
  });
}
