import type { ProjectId, SecurityGroup, SecurityGroupId, SecurityGroupRule } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface GroupRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly description: string;
  readonly rules: SecurityGroup['rules'];
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const groupOf = (row: GroupRow): SecurityGroup => ({
  id: row.id as SecurityGroupId,
  projectId: row.project_id as ProjectId,
  name: row.name,
  description: row.description,
  rules: row.rules,
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

const COLUMNS = Prisma.sql`
  g.id, g.project_id, g.name, g.description, g.generation, g.created_at, g.updated_at,
  coalesce((SELECT jsonb_agg(jsonb_build_object(
      'direction', r.direction, 'protocol', r.protocol, 'portMin', r.port_min, 'portMax', r.port_max,
      'cidr', text(r.cidr), 'peerGroupId', r.peer_group_id) ORDER BY r.index)
    FROM security_group_rules r WHERE r.security_group_id = g.id), '[]'::jsonb) AS rules`;

export async function findSecurityGroup(database: Database | Tx, id: string): Promise<SecurityGroup | null> {
  const [row] = await database.$queryRaw<GroupRow[]>`
    SELECT ${COLUMNS} FROM security_groups g WHERE g.id = ${id}::uuid`;
  return row === undefined ? null : groupOf(row);
}

export async function findSecurityGroups(
  database: Database,
  filter: { projectId: ProjectId | null; name: string | undefined },
  bounds: PageBounds,
): Promise<SecurityGroup[]> {
  const rows = await database.$queryRaw<GroupRow[]>`
    SELECT ${COLUMNS} FROM security_groups g
     WHERE (${bounds.afterId}::uuid IS NULL OR g.id > ${bounds.afterId}::uuid)
       AND (${filter.projectId}::uuid IS NULL OR g.project_id = ${filter.projectId}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR g.name = ${filter.name ?? null}::text)
     ORDER BY g.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(groupOf);
}

/** Those of the groups that are of the project; they are kept from being deleted until the transaction ends. */
export async function holdSecurityGroups(
  tx: Tx,
  ids: readonly SecurityGroupId[],
  projectId: string,
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM security_groups
     WHERE id = ANY (${[...ids]}::uuid[]) AND project_id = ${projectId}::uuid ORDER BY id FOR KEY SHARE`;
  return new Set(rows.map(({ id }) => id));
}

/** Locks the project for those who make groups in it, and counts what it has. */
export async function lockAndCountGroups(tx: Tx, projectId: string): Promise<number> {
  await tx.$queryRaw`SELECT 1 FROM projects WHERE id = ${projectId}::uuid FOR NO KEY UPDATE`;
  return tx.securityGroup.count({ where: { projectId } });
}

/** Null: there is none. */
export async function lockSecurityGroup(tx: Tx, id: string): Promise<SecurityGroup | null> {
  await tx.$queryRaw`SELECT 1 FROM security_groups WHERE id = ${id}::uuid FOR UPDATE`;
  return findSecurityGroup(tx, id);
}

/** False: the name is taken. */
export async function insertSecurityGroup(
  tx: Tx,
  group: { id: SecurityGroupId; projectId: ProjectId; name: string; description: string; now: Date },
): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO security_groups (id, project_id, name, description, created_at, updated_at)
    VALUES (${group.id}::uuid, ${group.projectId}::uuid, ${group.name}, ${group.description}, ${group.now}::timestamptz,
            ${group.now}::timestamptz)
    ON CONFLICT (project_id, name) DO NOTHING`;
  return count === 1;
}

/** Counts the change; undefined keeps what is there. False: the name is taken. */
export async function writeSecurityGroup(
  tx: Tx,
  group: SecurityGroup,
  change: { name: string | undefined; description: string | undefined; now: Date },
): Promise<boolean> {
  const { name = group.name, description = group.description, now } = change;
  const count = await tx.$executeRaw`
    UPDATE security_groups
       SET name = ${name}, description = ${description}, generation = generation + 1, updated_at = ${now}::timestamptz
     WHERE id = ${group.id}::uuid
       AND NOT EXISTS (SELECT FROM security_groups o
                        WHERE o.project_id = ${group.projectId}::uuid AND o.name = ${name} AND o.id <> ${group.id}::uuid)`;
  return count === 1;
}

/** All rules of the group from now on. */
export async function writeRules(tx: Tx, groupId: string, rules: readonly SecurityGroupRule[]): Promise<void> {
  await tx.securityGroupRule.deleteMany({ where: { securityGroupId: groupId } });
  const rows = rules.map((rule, index) => ({ ...rule, index, portMax: rule.portMax ?? rule.portMin }));
  await tx.$executeRaw`
    INSERT INTO security_group_rules
           (security_group_id, index, direction, protocol, port_min, port_max, cidr, peer_group_id)
    SELECT ${groupId}::uuid, r.index, r.direction, r.protocol, r."portMin", r."portMax", r.cidr, r."peerGroupId"
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS r(index int, direction text, protocol text, "portMin" int, "portMax" int, cidr inet, "peerGroupId" uuid)`;
}

/** What uses the group besides itself. */
export async function countUsesOfGroup(tx: Tx, id: string): Promise<{ portCount: number; groupNames: string[] }> {
  const portCount = await tx.portSecurityGroup.count({ where: { securityGroupId: id } });
  const rows = await tx.$queryRaw<{ name: string }[]>`
    SELECT DISTINCT g.name FROM security_group_rules r JOIN security_groups g ON g.id = r.security_group_id
     WHERE r.peer_group_id = ${id}::uuid AND g.id <> ${id}::uuid ORDER BY 1`;
  return { portCount, groupNames: rows.map(({ name }) => name) };
}

export async function deleteSecurityGroupRow(tx: Tx, id: string): Promise<void> {
  await tx.securityGroup.deleteMany({ where: { id } });
}
