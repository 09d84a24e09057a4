import type { SecurityGroup, SecurityGroupId, UpdateSecurityGroupRequest } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { groupNameTaken } from './create-security-group.js';
import { findSecurityGroup, lockSecurityGroup, writeRules, writeSecurityGroup } from './security-group.store.js';
import { holdPeers, recordGroupChange, visibleGroup } from './security-groups.js';

/** `rules` replaces all that it has. Throws not_found, already_exists, precondition_failed. */
export async function updateSecurityGroup(
  cp: ControlPlane,
  actor: Actor,
  groupId: SecurityGroupId,
  request: UpdateSecurityGroupRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<SecurityGroup> {
  return withTransaction(cp.database, async (tx) => {
    const before = visibleGroup(actor, await lockSecurityGroup(tx, groupId));
    requireGeneration('security group', before, options.ifMatch);
    const { name, description, rules } = request;
    if (!(await writeSecurityGroup(tx, before, { name, description, now: cp.clock() }))) {
      throw groupNameTaken(name ?? before.name);
    }
    if (rules !== undefined) {
      await holdPeers(tx, before.projectId, rules);
      await writeRules(tx, groupId, rules);
    }
    const group = visibleGroup(actor, await findSecurityGroup(tx, groupId));
    await recordGroupChange(tx, actor, group, 'changed');
    return group;
  });
}
