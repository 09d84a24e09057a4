import { DomainError } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { lockProject } from '../project/project.store.js';
import { notFound } from '../token/project-scope.js';
import { findBrokenRule, requireSize } from '../vm-group/find-broken-rule.js';
import { holdVmGroups } from '../vm-group/vm-group.store.js';
import type { VmForIntent } from './vm-intent.store.js';

/**
 * A VM that comes to a group stays where it is: it must not break a hard rule there. Locks project and group, in this order
 * as creates do, until the transaction ends. Throws not_found, quota_exceeded, and conflict_state that names the rule.
 */
export async function requireGroup(tx: Tx, vm: VmForIntent, vmGroupId: string | null | undefined): Promise<void> {
  if (vmGroupId === undefined || vmGroupId === null || vmGroupId === vm.vmGroupId || vm.hostId === null) return;
  await lockProject(tx, vm.projectId);
  const group = (await holdVmGroups(tx, [vmGroupId])).get(vmGroupId);
  if (group?.projectId !== vm.projectId) throw notFound("the VM group of the VM's project", 'body.vmGroupId');
  requireSize(group, group.vmCount + 1);
  const broken = await findBrokenRule(tx, [{ vmId: vm.vmId, vmGroupId, hostId: vm.hostId }]);
  if (broken === null) return;
  const { kind, level } = broken.rule;
  const message = `hard ${kind} at level ${level} of VM group ${group.name} does not admit the VM where it is: ${broken.objection}`;
  throw new DomainError('conflict_state', `${message}. Make the rule soft, or create the VM anew in the group`, {
    details: { fields: [{ field: 'body.vmGroupId', message }] },
  });
}
