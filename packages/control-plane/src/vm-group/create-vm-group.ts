import {
  type CreateVmGroupRequest,
  DomainError,
  newId,
  VM_GROUPS_PER_PROJECT_MAX,
  type VmGroupDetails,
  type VmGroupId,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import { findVmGroup, insertVmGroup, lockAndCountVmGroups } from './vm-group.store.js';
import { getVmGroup, recordVmGroupChange, rulesInForce, visibleVmGroup } from './vm-groups.js';

const CREATED_STATUS = 201;

/** Throws not_found, already_exists, quota_exceeded. */
export async function createVmGroup(
  cp: ControlPlane,
  actor: Actor,
  request: CreateVmGroupRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<VmGroupDetails> {
  const id = newId<VmGroupId>();
  const before = await withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const stored = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (stored !== null) return stored;
    const project = await projectForNew(tx, actor, request.projectId);
    const groupCount = await lockAndCountVmGroups(tx, project.id);
    if (groupCount >= VM_GROUPS_PER_PROJECT_MAX) {
      throw new DomainError('quota_exceeded', `the project has ${groupCount} VM groups, the most it may have`, {
        details: { groupCount, groupCountMax: VM_GROUPS_PER_PROJECT_MAX },
      });
    }
    const { name, description } = request;
    const rules = rulesInForce(request.rules);
    if (!(await insertVmGroup(tx, { id, projectId: project.id, name, description, rules, now: cp.clock() }))) {
      throw vmGroupNameTaken(name);
    }
    await recordVmGroupChange(tx, actor, visibleVmGroup(actor, await findVmGroup(tx, id)), 'created');
    return null;
  });
  return getVmGroup(cp, actor, (before?.resourceId ?? id) as VmGroupId);
}

export const vmGroupNameTaken = (name: string): DomainError =>
  new DomainError('already_exists', `the project has a VM group called ${name} already`, {
    details: { fields: [{ field: 'body.name', message: 'is taken' }] },
  });
