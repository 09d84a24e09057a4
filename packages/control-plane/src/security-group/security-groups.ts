import type { ListSecurityGroupsQuery, Page, SecurityGroup, SecurityGroupId, SecurityGroupRule } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { findSecurityGroup, findSecurityGroups, holdSecurityGroups } from './security-group.store.js';

export async function listSecurityGroups(
  cp: ControlPlane,
  actor: Actor,
  query: ListSecurityGroupsQuery,
): Promise<Page<SecurityGroup>> {
  const filter = { projectId: listedProject(actor, query.projectId), name: query.name };
  return pageOfRows(await findSecurityGroups(cp.database, filter, pageBounds(query)), query);
}

export async function getSecurityGroup(
  cp: ControlPlane,
  actor: Actor,
  groupId: SecurityGroupId,
): Promise<SecurityGroup> {
  return visibleGroup(actor, await findSecurityGroup(cp.database, groupId));
}

/** The group, if the actor may know of it; otherwise there is none. */
export function visibleGroup(actor: Actor, group: SecurityGroup | null): SecurityGroup {
  if (group === null || !canSeeProject(actor, group.projectId)) throw notFound('the security group');
  return group;
}

/** The groups that rules name must be of the project; they are held until the transaction ends. Throws not_found. */
export async function holdPeers(tx: Tx, projectId: string, rules: readonly SecurityGroupRule[]): Promise<void> {
  const ids = rules.flatMap(({ peerGroupId }) => (peerGroupId === null ? [] : [peerGroupId]));
  const held = await holdSecurityGroups(tx, ids, projectId);
  const missing = rules.findIndex(({ peerGroupId }) => peerGroupId !== null && !held.has(peerGroupId));
  if (missing >= 0) throw notFound('the security group', `body.rules.${missing}.peerGroupId`);
}

export const recordGroupChange = (
  tx: Tx,
  actor: Actor,
  group: SecurityGroup,
  what: 'created' | 'changed' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `security-group.${what}`,
    projectId: group.projectId,
    resourceKind: 'security-group',
    resourceId: group.id,
    data: { name: group.name, ruleCount: group.rules.length, by: actor.tokenName },
  });
