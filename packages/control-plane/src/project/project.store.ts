import type { Project, ProjectId, Quota } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { Project as ProjectRow } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

const projectOf = (row: ProjectRow): Project => ({
  id: row.id as ProjectId,
  name: row.name,
  quota: {
    vmCount: row.quotaVmCount,
    vcpuCount: row.quotaVcpuCount,
    memoryBytes: Number(row.quotaMemoryBytes),
    diskBytes: Number(row.quotaDiskBytes),
  },
  used: {
    vmCount: row.usedVmCount,
    vcpuCount: row.usedVcpuCount,
    memoryBytes: Number(row.usedMemoryBytes),
    diskBytes: Number(row.usedDiskBytes),
  },
  createdAt: row.createdAt.toISOString(),
});

/** False: the name is taken. */
export async function insertProject(
  database: Tx | Database,
  project: { id: ProjectId; name: string; quota: Quota },
  now: Date,
): Promise<boolean> {
  const { quota } = project;
  const count = await database.$executeRaw`
    INSERT INTO projects (id, name, quota_vm_count, quota_vcpu_count, quota_memory_bytes, quota_disk_bytes, created_at)
    VALUES (${project.id}::uuid, ${project.name}, ${quota.vmCount}, ${quota.vcpuCount}, ${quota.memoryBytes}::bigint,
            ${quota.diskBytes}::bigint, ${now}::timestamptz)
    ON CONFLICT (name) DO NOTHING`;
  return count === 1;
}

export async function findProject(database: Tx | Database, id: string): Promise<Project | null> {
  const row = await database.project.findUnique({ where: { id } });
  return row === null ? null : projectOf(row);
}

export async function findProjectsById(
  database: Tx | Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Project>> {
  const rows = await database.project.findMany({ where: { id: { in: [...ids] } } });
  return new Map(rows.map((row) => [row.id, projectOf(row)]));
}

export async function findProjectByName(database: Tx | Database, name: string): Promise<Project | null> {
  const row = await database.project.findUnique({ where: { name } });
  return row === null ? null : projectOf(row);
}

export async function findProjects(
  database: Database,
  filter: { name: string | undefined; id: ProjectId | null },
  bounds: PageBounds,
): Promise<Project[]> {
  const rows = await database.project.findMany({
    where: {
      AND: [
        bounds.afterId === null ? {} : { id: { gt: bounds.afterId } },
        filter.id === null ? {} : { id: filter.id },
        filter.name === undefined ? {} : { name: filter.name },
      ],
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
  });
  return rows.map(projectOf);
}

/** Null: no such project. A quota below what is used is allowed: it stops growth and takes nothing away. */
export async function setQuota(tx: Tx, id: string, quota: Quota): Promise<Project | null> {
  await tx.project.updateMany({
    where: { id },
    data: {
      quotaVmCount: quota.vmCount,
      quotaVcpuCount: quota.vcpuCount,
      quotaMemoryBytes: quota.memoryBytes,
      quotaDiskBytes: quota.diskBytes,
    },
  });
  return findProject(tx, id);
}

/** Against everybody who takes quota of it or makes a VM in it, until the transaction ends. */
export async function lockProject(tx: Tx, id: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 FROM projects WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
}

/** What one VM takes from its project. */
export type Usage = Quota;

/**
 * Takes `usage` from the project's quota, or nothing of it. PostgreSQL locks the row and looks at its newest version before
 * it decides, so that two who race for the last VM cannot both pass.
 */
export const takeQuota = (tx: Tx, projectId: string, usage: Usage): Promise<boolean> =>
  takeQuotas(tx, new Map([[projectId, usage]]));

/** As takeQuota, of many projects, in the order of their ids. False: the transaction is to be given up. */
export async function takeQuotas(tx: Tx, usages: ReadonlyMap<string, Usage>): Promise<boolean> {
  const rows = [...usages].map(([projectId, usage]) => ({ ...usage, projectId }));
  const count = await tx.$executeRaw`
    WITH needed AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS n ("projectId" uuid, "vmCount" int, "vcpuCount" int, "memoryBytes" bigint, "diskBytes" bigint)),
    locked AS MATERIALIZED (
      SELECT id FROM projects WHERE id IN (SELECT "projectId" FROM needed) ORDER BY id FOR NO KEY UPDATE)
    UPDATE projects
       SET used_vm_count = used_vm_count + n."vmCount",
           used_vcpu_count = used_vcpu_count + n."vcpuCount",
           used_memory_bytes = used_memory_bytes + n."memoryBytes",
           used_disk_bytes = used_disk_bytes + n."diskBytes"
      FROM locked JOIN needed n ON n."projectId" = locked.id
     WHERE projects.id = locked.id
       AND used_vm_count + n."vmCount" <= quota_vm_count
       AND used_vcpu_count + n."vcpuCount" <= quota_vcpu_count
       AND used_memory_bytes + n."memoryBytes" <= quota_memory_bytes
       AND used_disk_bytes + n."diskBytes" <= quota_disk_bytes`;
  return count === rows.length;
}

/** Gives back what `takeQuota` took. The caller makes sure that it happens once; the CHECKs of the table see below zero. */
export async function returnQuota(tx: Tx, projectId: string, usage: Usage): Promise<void> {
  await tx.$executeRaw`
    UPDATE projects
       SET used_vm_count = used_vm_count - ${usage.vmCount}::int,
           used_vcpu_count = used_vcpu_count - ${usage.vcpuCount}::int,
           used_memory_bytes = used_memory_bytes - ${usage.memoryBytes}::bigint,
           used_disk_bytes = used_disk_bytes - ${usage.diskBytes}::bigint
     WHERE id = ${projectId}::uuid`;
}
