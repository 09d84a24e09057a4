import type { GroupRuleLevel, ProjectId, VmGroup, VmGroupId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';
import { lockProject } from '../project/project.store.js';
import { type GroupMember, type OpenDomains, placeOf } from './group-rules.js';

interface GroupRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly description: string;
  readonly rules: VmGroup['rules'];
  readonly vm_count: number;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const groupOf = (row: GroupRow): VmGroup => ({
  id: row.id as VmGroupId,
  projectId: row.project_id as ProjectId,
  name: row.name,
  description: row.description,
  rules: row.rules,
  vmCount: row.vm_count,
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

const COLUMNS = Prisma.sql`
  g.id, g.project_id, g.name, g.description, g.rules, g.generation, g.created_at, g.updated_at,
  (SELECT count(*)::int FROM vms v WHERE v.vm_group_id = g.id AND v.deleted_at IS NULL) AS vm_count`;

export async function findVmGroup(database: Database | Tx, id: string): Promise<VmGroup | null> {
  const [row] = await database.$queryRaw<GroupRow[]>`SELECT ${COLUMNS} FROM vm_groups g WHERE g.id = ${id}::uuid`;
  return row === undefined ? null : groupOf(row);
}

export async function findVmGroups(
  database: Database,
  filter: { projectId: ProjectId | null; name: string | undefined },
  bounds: PageBounds,
): Promise<VmGroup[]> {
  const rows = await database.$queryRaw<GroupRow[]>`
    SELECT ${COLUMNS} FROM vm_groups g
     WHERE (${bounds.afterId}::uuid IS NULL OR g.id > ${bounds.afterId}::uuid)
       AND (${filter.projectId}::uuid IS NULL OR g.project_id = ${filter.projectId}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR g.name = ${filter.name ?? null}::text)
     ORDER BY g.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(groupOf);
}

/** Locks the project for those who make groups in it, and counts what it has. */
export async function lockAndCountVmGroups(tx: Tx, projectId: string): Promise<number> {
  await lockProject(tx, projectId);
  return tx.vmGroup.count({ where: { projectId } });
}

/**
 * Locks groups, in the order of their ids, against everybody who puts a VM into one, moves one of its VMs or changes its
 * rules: who has the lock sees, with its next statement, all that others have committed about them. VMs that name a group
 * and are not placed yet are not kept waiting.
 */
export async function lockVmGroups(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, VmGroup>> {
  await tx.$queryRaw`
    SELECT 1 FROM vm_groups WHERE id = ANY (${[...ids]}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
  const rows = await tx.$queryRaw<GroupRow[]>`
    SELECT ${COLUMNS} FROM vm_groups g WHERE g.id = ANY (${[...ids]}::uuid[])`;
  return new Map(rows.map((row) => [row.id, groupOf(row)]));
}

/** Kept from being deleted until the transaction ends. */
export async function holdVmGroups(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, VmGroup>> {
  if (ids.length === 0) return new Map();
  const rows = await tx.$queryRaw<GroupRow[]>`
    SELECT ${COLUMNS} FROM vm_groups g WHERE g.id = ANY (${[...ids]}::uuid[]) ORDER BY g.id FOR KEY SHARE OF g`;
  return new Map(rows.map((row) => [row.id, groupOf(row)]));
}

/** Also against VMs that are about to name it. Null: there is none. */
export async function lockVmGroupToDelete(tx: Tx, id: string): Promise<VmGroup | null> {
  await tx.$queryRaw`SELECT 1 FROM vm_groups WHERE id = ${id}::uuid FOR UPDATE`;
  return findVmGroup(tx, id);
}

interface NewVmGroup extends Pick<VmGroup, 'id' | 'projectId' | 'name' | 'description' | 'rules'> {
  readonly now: Date;
}

/** False: the name is taken. */
export async function insertVmGroup(tx: Tx, group: NewVmGroup): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO vm_groups (id, project_id, name, description, rules, created_at, updated_at)
    VALUES (${group.id}::uuid, ${group.projectId}::uuid, ${group.name}, ${group.description},
            ${JSON.stringify(group.rules)}::jsonb, ${group.now}::timestamptz, ${group.now}::timestamptz)
    ON CONFLICT (project_id, name) DO NOTHING`;
  return count === 1;
}

/** Counts the change. False: the name is taken. */
export async function writeVmGroup(tx: Tx, group: NewVmGroup): Promise<boolean> {
  const { id, projectId, name, description, rules, now } = group;
  const count = await tx.$executeRaw`
    UPDATE vm_groups
       SET name = ${name}, description = ${description}, rules = ${JSON.stringify(rules)}::jsonb,
           generation = generation + 1, updated_at = ${now}::timestamptz
     WHERE id = ${id}::uuid
       AND NOT EXISTS (SELECT FROM vm_groups o
                        WHERE o.project_id = ${projectId}::uuid AND o.name = ${name} AND o.id <> ${id}::uuid)`;
  return count === 1;
}

export async function deleteVmGroupRow(tx: Tx, id: string): Promise<void> {
  await tx.vmGroup.deleteMany({ where: { id } });
}

/** The first VMs in a group by id, those without a host too. */
export const findVmsOfGroup = (database: Database | Tx, groupId: string, countMax: number) =>
  database.$queryRaw<{ vmId: string; vmName: string }[]>`
    SELECT id AS "vmId", name AS "vmName" FROM vms
     WHERE vm_group_id = ${groupId}::uuid AND deleted_at IS NULL ORDER BY id LIMIT ${countMax}::int`;

interface MemberRow {
  readonly vm_id: string;
  readonly vm_name: string;
  readonly group_id: string;
  readonly host_id: string;
  readonly labels: Record<string, string>;
}

/**
 * The VMs of groups that hold room on a host of the site, by id; by group. One that is being moved is at both of its places, for it
 * may end at either.
 */
export async function findGroupMembers(
  database: Database | Tx,
  groupIds: readonly string[],
): Promise<ReadonlyMap<string, GroupMember[]>> {
  const rows = await database.$queryRaw<MemberRow[]>`
    SELECT v.id AS vm_id, v.name AS vm_name, v.vm_group_id AS group_id, r.host_id, h.labels
      FROM vms v JOIN reservations r ON r.vm_id = v.id JOIN hosts h ON h.id = r.host_id
     WHERE h.state <> 'revoked' AND v.vm_group_id = ANY (${[...groupIds]}::uuid[]) AND v.deleted_at IS NULL
     ORDER BY v.id, r.purpose DESC`;
  const members = new Map<string, GroupMember[]>(groupIds.map((groupId) => [groupId, []]));
  for (const { vm_id, vm_name, group_id, host_id, labels } of rows)
    members.get(group_id)?.push({ vmId: vm_id, vmName: vm_name, place: placeOf(host_id, labels) });
  return members;
}

export async function findHostLabels(
  database: Database | Tx,
  hostIds: readonly string[],
): Promise<ReadonlyMap<string, Record<string, string>>> {
  const rows = await database.host.findMany({
    where: { id: { in: [...hostIds] } },
    select: { id: true, labels: true },
  });
  return new Map(rows.map(({ id, labels }) => [id, labels as Record<string, string>]));
}

/** How many domains of a level could take a VM, and which of those named are among them. */
export async function findOpenDomains(
  database: Database | Tx,
  level: GroupRuleLevel,
  named: readonly string[],
): Promise<OpenDomains> {
  const [row] = await database.$queryRaw<{ count: number; occupied: string[] | null }[]>`
    SELECT count(*)::int AS count, array_agg(domain) FILTER (WHERE domain = ANY (${[...named]}::text[])) AS occupied
      FROM (SELECT DISTINCT CASE WHEN ${level} = 'host' THEN id::text ELSE labels->>${level} END AS domain
              FROM hosts WHERE state = 'active' AND connectivity = 'connected') d
     WHERE domain IS NOT NULL`;
  return { count: row?.count ?? 0, occupied: new Set(row?.occupied ?? []) };
}
