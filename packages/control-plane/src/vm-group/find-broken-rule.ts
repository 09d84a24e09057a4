import { DomainError, VMS_PER_GROUP_MAX, type VmGroup } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { type GroupMember, objectionOf, placeOf, type RuleInForce } from './group-rules.js';
import { findGroupMembers, findHostLabels, lockVmGroups } from './vm-group.store.js';
import { openDomainsFor } from './vm-groups.js';

/** A VM that comes to a host, or is there and comes to a group. */
export interface Joining {
  readonly vmId: string;
  readonly vmGroupId: string;
  readonly hostId: string;
}

export interface BrokenRule {
  readonly vmId: string;
  readonly group: VmGroup;
  readonly rule: RuleInForce;
  readonly objection: string;
}

/**
 * The first hard rule that one of the VMs would break, each counted with those before it; null: they may all be there. Locks
 * the groups until the transaction ends, and looks at what is true under the lock: of two transactions that put VMs of one
 * group on the same host, the second waits here, and its next statement sees what the first has committed (READ COMMITTED
 * takes a snapshot for each). Whatever a snapshot of the fleet has proposed, this decides.
 *
 * Throws quota_exceeded when a group would be too large.
 */
export async function findBrokenRule(tx: Tx, joining: readonly Joining[]): Promise<BrokenRule | null> {
  if (joining.length === 0) return null;
  const groupIds = [...new Set(joining.map(({ vmGroupId }) => vmGroupId))];
  const groups = await lockVmGroups(tx, groupIds);
  const members = await findGroupMembers(tx, groupIds);
  const labels = await findHostLabels(tx, [...new Set(joining.map(({ hostId }) => hostId))]);
  for (const groupId of groupIds) {
    const group = groups.get(groupId);
    if (group === undefined) throw new TypeError(`VM group ${groupId} is held, so it has a row`);
    requireSize(group, group.vmCount);
    const coming = joining
      .filter(({ vmGroupId }) => vmGroupId === groupId)
      .map(({ vmId, hostId }) => ({ vmId, vmName: vmId, place: placeOf(hostId, labels.get(hostId) ?? {}) }));
    const broken = await firstBroken(tx, group, members.get(groupId) ?? [], coming);
    if (broken !== null) return broken;
  }
  return null;
}

async function firstBroken(
  tx: Tx,
  group: VmGroup,
  members: readonly GroupMember[],
  coming: readonly GroupMember[],
): Promise<BrokenRule | null> {
  const hard = group.rules.filter(({ strength }) => strength === 'hard');
  const open = await openDomainsFor(tx, hard, [...members, ...coming]);
  const comingIds = new Set(coming.map(({ vmId }) => vmId));
  const others = members.filter(({ vmId }) => !comingIds.has(vmId));
  for (const one of coming) {
    for (const rule of hard) {
      const objection = objectionOf(rule, one.place, others, open) ?? objectionOfMove(rule, others);
      if (objection !== null) return { vmId: one.vmId, group, rule, objection };
    }
    others.push(one);
  }
  return null;
}

/** Where others have to follow a VM, nobody knows where to while it is on its way from one domain to another. */
function objectionOfMove({ kind, level }: RuleInForce, members: readonly GroupMember[]): string | null {
  if (kind !== 'affinity') return null;
  const domains = new Map<string, string | undefined>();
  for (const { vmId, vmName, place } of members) {
    if (domains.has(vmId) && domains.get(vmId) !== place[level]) return `${vmName} is being moved to another ${level}`;
    domains.set(vmId, place[level]);
  }
  return null;
}

/** VMs that are created in the group are in its count already. */
export function requireSize({ name }: VmGroup, vmCount: number): void {
  if (vmCount <= VMS_PER_GROUP_MAX) return;
  throw new DomainError('quota_exceeded', `VM group ${name} has ${VMS_PER_GROUP_MAX} VMs, the most it may have`, {
    details: { vmCountMax: VMS_PER_GROUP_MAX, fields: [{ field: 'body.vmGroupId', message: 'has no place left' }] },
  });
}
