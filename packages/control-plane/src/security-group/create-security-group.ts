import {
  type CreateSecurityGroupRequest,
  DomainError,
  newId,
  SECURITY_GROUPS_PER_PROJECT_MAX,
  type SecurityGroup,
  type SecurityGroupId,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import { findSecurityGroup, insertSecurityGroup, lockAndCountGroups, writeRules } from './security-group.store.js';
import { getSecurityGroup, holdPeers, recordGroupChange, visibleGroup } from './security-groups.js';

const CREATED_STATUS = 201;

/** Throws not_found, already_exists, quota_exceeded. */
export async function createSecurityGroup(
  cp: ControlPlane,
  actor: Actor,
  request: CreateSecurityGroupRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<SecurityGroup> {
  const id = newId<SecurityGroupId>();
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return getSecurityGroup(cp, actor, before.resourceId as SecurityGroupId);
    const project = await projectForNew(tx, actor, request.projectId);
    const groupCount = await lockAndCountGroups(tx, project.id);
    if (groupCount >= SECURITY_GROUPS_PER_PROJECT_MAX) {
      throw new DomainError('quota_exceeded', `the project has ${groupCount} security groups, the most it may have`, {
        details: { groupCount, groupCountMax: SECURITY_GROUPS_PER_PROJECT_MAX },
      });
    }
    const { name, description, rules } = request;
    if (!(await insertSecurityGroup(tx, { id, projectId: project.id, name, description, now: cp.clock() }))) {
      throw groupNameTaken(name);
    }
    await holdPeers(tx, project.id, rules);
    await writeRules(tx, id, rules);
    const group = visibleGroup(actor, await findSecurityGroup(tx, id));
    await recordGroupChange(tx, actor, group, 'created');
    return group;
  });
}

export const groupNameTaken = (name: string): DomainError =>
  new DomainError('already_exists', `the project has a security group called ${name} already`, {
    details: { fields: [{ field: 'body.name', message: 'is taken' }] },
  });
