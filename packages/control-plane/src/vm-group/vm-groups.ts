import type {
  GroupRuleLevel,
  ListVmGroupsQuery,
  Page,
  VmGroup,
  VmGroupDetails,
  VmGroupId,
  VmGroupRule,
  VmGroupViolation,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Database, Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import {
  findViolations,
  type GroupMember,
  type OpenDomains,
  type OpenDomainsOf,
  type RuleInForce,
} from './group-rules.js';
import { findGroupMembers, findOpenDomains, findVmGroup, findVmGroups } from './vm-group.store.js';

export async function listVmGroups(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  query: ListVmGroupsQuery,
): Promise<Page<VmGroup>> {
  const filter = { projectId: listedProject(actor, query.projectId), name: query.name };
  return pageOfRows(await findVmGroups(cp.database, filter, pageBounds(query)), query);
}

/** With the rules that its VMs break where they are now. Throws not_found. */
export async function getVmGroup(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  groupId: VmGroupId,
): Promise<VmGroupDetails> {
  return withViolations(cp.database, visibleVmGroup(actor, await findVmGroup(cp.database, groupId)));
}

/** The group, if the actor may know of it; otherwise there is none. */
export function visibleVmGroup(actor: Actor, group: VmGroup | null, field?: string): VmGroup {
  if (group === null || !canSeeProject(actor, group.projectId)) throw notFound('the VM group', field);
  return group;
}

export const withViolations = async (database: Database | Tx, group: VmGroup): Promise<VmGroupDetails> => ({
  ...group,
  violations: await violationsOf(database, group.id, group.rules),
});

export async function violationsOf(
  database: Database | Tx,
  groupId: string,
  rules: readonly RuleInForce[],
): Promise<VmGroupViolation[]> {
  const members = (await findGroupMembers(database, [groupId])).get(groupId) ?? [];
  return findViolations(rules, members, await openDomainsFor(database, rules, members));
}

/** Reads what rules of spread need to know of the site; others read nothing. */
export async function openDomainsFor(
  database: Database | Tx,
  rules: readonly RuleInForce[],
  members: readonly GroupMember[],
): Promise<OpenDomainsOf> {
  const known = new Map<GroupRuleLevel, OpenDomains>();
  for (const { kind, level } of rules) {
    if (kind !== 'spread' || known.has(level)) continue;
    const named = [...new Set(members.flatMap(({ place }) => place[level] ?? []))];
    known.set(level, await findOpenDomains(database, level, named));
  }
  return (level) => known.get(level) ?? { count: 0, occupied: new Set() };
}

export const rulesInForce = (rules: readonly VmGroupRule[]): RuleInForce[] =>
  rules.map(({ kind, level, strength, skewMax }) => ({
    kind,
    level,
    strength,
    skewMax: kind === 'spread' ? (skewMax ?? 1) : null,
  }));

export const recordVmGroupChange = (
  tx: Tx,
  actor: Actor,
  group: VmGroup,
  what: 'created' | 'changed' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `vm-group.${what}`,
    projectId: group.projectId,
    resourceKind: 'vm-group',
    resourceId: group.id,
    data: { name: group.name, rules: group.rules, by: actor.tokenName },
  });
