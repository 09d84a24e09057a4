import type { HostGroup, HostGroupId, ListHostGroupsQuery, Page } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { findHostGroup, findHostGroups } from './host-group.store.js';

export async function listHostGroups(
  cp: ControlPlane,
  actor: Actor,
  query: ListHostGroupsQuery,
): Promise<Page<HostGroup>> {
  requireWholeSite(actor);
  return pageOfRows(await findHostGroups(cp.database, { name: query.name }, pageBounds(query)), query);
}

export async function getHostGroup(cp: ControlPlane, actor: Actor, groupId: HostGroupId): Promise<HostGroup> {
  requireWholeSite(actor);
  const group = await findHostGroup(cp.database, groupId);
  if (group === null) throw notFound('the host group');
  return group;
}
