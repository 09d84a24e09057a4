import {
  type Accelerator,
  type FlavorId,
  type HostId,
  type ImageId,
  type OperationId,
  type ProjectId,
  type StoredError,
  VmHardware,
  type VmId,
  type VmTemplate,
  type VmTemplateId,
  type VmTemplateState,
} from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface TemplateRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly state: VmTemplateState;
  readonly host_id: string;
  readonly host_name: string;
  readonly golden_vm_id: string;
  readonly golden_vm_name: string;
  readonly base_template_id: string | null;
  readonly flavor_id: string;
  readonly image_id: string;
  readonly vcpu_count: number;
  readonly memory_bytes: bigint;
  readonly root_disk_bytes: bigint;
  readonly accelerator: Accelerator;
  readonly machine_type: string;
  readonly hardware: unknown;
  readonly has_seed_disk: boolean;
  readonly occupied_bytes: bigint | null;
  readonly fork_count: number;
  readonly frozen_at: Date | null;
  readonly operation_id: string;
  readonly failure: StoredError | null;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const templateOf = (row: TemplateRow): VmTemplate => ({
  id: row.id as VmTemplateId,
  projectId: row.project_id as ProjectId,
  name: row.name,
  state: row.state,
  hostId: row.host_id as HostId,
  hostName: row.host_name,
  goldenVmId: row.golden_vm_id as VmId,
  goldenVmName: row.golden_vm_name,
  baseTemplateId: row.base_template_id as VmTemplateId | null,
  flavorId: row.flavor_id as FlavorId,
  imageId: row.image_id as ImageId,
  vcpuCount: row.vcpu_count,
  memoryBytes: Number(row.memory_bytes),
  rootDiskBytes: Number(row.root_disk_bytes),
  accelerator: row.accelerator,
  machineType: row.machine_type,
  hardware: VmHardware.parse(row.hardware),
  hasSeedDisk: row.has_seed_disk,
  occupiedBytes: row.occupied_bytes === null ? null : Number(row.occupied_bytes),
  forkCount: row.fork_count,
  frozenAt: row.frozen_at?.toISOString() ?? null,
  operationId: row.operation_id as OperationId,
  failure: row.failure,
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

/** VMs that may have a disk on it; one whose creation was undone has none, and holds nothing. */
const FORKS = Prisma.sql`
  vms v WHERE v.template_id = t.id AND v.deleted_at IS NULL AND EXISTS (SELECT FROM reservations r WHERE r.vm_id = v.id)`;

const TEMPLATES = Prisma.sql`
  SELECT t.*, h.name AS host_name, (SELECT count(*)::int FROM ${FORKS}) AS fork_count
    FROM vm_templates t JOIN hosts h ON h.id = t.host_id
   WHERE t.deleted_at IS NULL`;

/** Null: there is none, or it is deleted. */
export async function findTemplate(database: Database | Tx, id: string): Promise<VmTemplate | null> {
  const [row] = await database.$queryRaw<TemplateRow[]>`${TEMPLATES} AND t.id = ${id}::uuid`;
  return row === undefined ? null : templateOf(row);
}

export interface TemplateFilter {
  readonly projectId: string | null;
  readonly hostId: string | undefined;
  readonly name: string | undefined;
  readonly state: VmTemplateState | undefined;
}

export async function findTemplates(
  database: Database,
  filter: TemplateFilter,
  bounds: PageBounds,
): Promise<VmTemplate[]> {
  const rows = await database.$queryRaw<TemplateRow[]>`
    ${TEMPLATES}
       AND (${bounds.afterId}::uuid IS NULL OR t.id > ${bounds.afterId}::uuid)
       AND (${filter.projectId}::uuid IS NULL OR t.project_id = ${filter.projectId}::uuid)
       AND (${filter.hostId ?? null}::uuid IS NULL OR t.host_id = ${filter.hostId ?? null}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR t.name = ${filter.name ?? null}::text)
       AND (${filter.state ?? null}::text IS NULL OR t.state = ${filter.state ?? null}::text)
     ORDER BY t.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(templateOf);
}

/** Those of the ids that VMs can be forked of, kept from being deleted until the transaction ends. */
export async function holdTemplates(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, VmTemplate>> {
  if (ids.length === 0) return new Map();
  await tx.$executeRaw`
    SELECT FROM vm_templates WHERE id = ANY (${[...ids]}::uuid[]) ORDER BY id FOR SHARE`;
  const rows = await tx.$queryRaw<TemplateRow[]>`
    ${TEMPLATES} AND t.state = 'available' AND t.id = ANY (${[...ids]}::uuid[])`;
  return new Map(rows.map((row) => [row.id, templateOf(row)]));
}

/** The project's row is locked, so that two who count at once see each other. */
export async function countTemplates(tx: Tx, projectId: string): Promise<number> {
  const [row] = await tx.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM vm_templates WHERE project_id = ${projectId}::uuid AND deleted_at IS NULL`;
  return row?.count ?? 0;
}

export type NewTemplate = Omit<
  VmTemplate,
  | 'state'
  | 'hostName'
  | 'occupiedBytes'
  | 'forkCount'
  | 'frozenAt'
  | 'failure'
  | 'generation'
  | 'createdAt'
  | 'updatedAt'
>;

/** False: the project has a template of this name. */
export async function insertTemplate(tx: Tx, template: NewTemplate): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO vm_templates (id, project_id, name, state, host_id, golden_vm_id, golden_vm_name, base_template_id, flavor_id,
                              image_id, vcpu_count, memory_bytes, root_disk_bytes, accelerator, machine_type, hardware,
                              has_seed_disk, operation_id)
    VALUES (${template.id}::uuid, ${template.projectId}::uuid, ${template.name}, 'creating', ${template.hostId}::uuid,
            ${template.goldenVmId}::uuid, ${template.goldenVmName}, ${template.baseTemplateId}::uuid,
            ${template.flavorId}::uuid, ${template.imageId}::uuid, ${template.vcpuCount}::int, ${template.memoryBytes}::bigint,
            ${template.rootDiskBytes}::bigint, ${template.accelerator}, ${template.machineType},
            ${JSON.stringify(template.hardware)}::jsonb, ${template.hasSeedDisk}, ${template.operationId}::uuid)
    ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING`;
  return count === 1;
}

/** It is made. */
export async function settleMadeTemplate(
  tx: Tx,
  id: string,
  made: { readonly occupiedBytes: number; readonly rootDiskBytes: number },
): Promise<void> {
  await tx.$executeRaw`
    UPDATE vm_templates
       SET state = 'available', occupied_bytes = ${made.occupiedBytes}::bigint, root_disk_bytes = ${made.rootDiskBytes}::bigint,
           frozen_at = clock_timestamp(), updated_at = clock_timestamp()
     WHERE id = ${id}::uuid AND state = 'creating' AND deleted_at IS NULL`;
}

/**
 * Takes a template for its deletion. False: somebody else was faster. Waits for those who fork of it right now; whoever comes later finds
 * it `deleting`, so that what rests on it can be counted from then on.
 */
export async function takeTemplate(
  tx: Tx,
  { id, generation, state }: Pick<VmTemplate, 'id' | 'generation' | 'state'>,
  operationId: string,
): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE vm_templates
       SET state = 'deleting', generation = generation + 1, operation_id = ${operationId}::uuid, failure = NULL,
           updated_at = clock_timestamp()
     WHERE id = ${id}::uuid AND generation = ${generation}::bigint AND state = ${state} AND deleted_at IS NULL`;
  return count === 1;
}

/** VMs and templates whose disks rest on that of the template, the first of them. */
export async function findResting(
  tx: Tx,
  id: string,
  countMax: number,
): Promise<{ kind: 'VM' | 'template'; id: string; name: string }[]> {
  return tx.$queryRaw<{ kind: 'VM' | 'template'; id: string; name: string }[]>`
    SELECT 'VM' AS kind, v.id, v.name
      FROM vms v
     WHERE v.template_id = ${id}::uuid AND v.deleted_at IS NULL AND EXISTS (SELECT FROM reservations r WHERE r.vm_id = v.id)
    UNION ALL
    SELECT 'template', t.id, t.name FROM vm_templates t WHERE t.base_template_id = ${id}::uuid AND t.deleted_at IS NULL
     ORDER BY kind, id LIMIT ${countMax}::int`;
}

/** It was not deleted: it is what it was. */
export async function returnTemplate(
  tx: Tx,
  id: string,
  state: Extract<VmTemplateState, 'available' | 'lost'>,
  failure: StoredError,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE vm_templates
       SET state = ${state}, failure = ${JSON.stringify(failure)}::jsonb, updated_at = clock_timestamp()
     WHERE id = ${id}::uuid AND state = 'deleting' AND deleted_at IS NULL`;
}

/** Nothing of it is left on its host. */
export async function markTemplateDeleted(tx: Tx, id: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE vm_templates SET deleted_at = clock_timestamp(), updated_at = clock_timestamp()
     WHERE id = ${id}::uuid AND deleted_at IS NULL`;
}

/** Of the flavor or the image: what must not be deleted, as forks are made with it. */
export const countTemplatesWith = async (tx: Tx, of: 'flavor_id' | 'image_id', id: string): Promise<number> => {
  const column = of === 'flavor_id' ? Prisma.sql`flavor_id` : Prisma.sql`image_id`;
  const [row] = await tx.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM vm_templates WHERE ${column} = ${id}::uuid AND deleted_at IS NULL`;
  return row?.count ?? 0;
};
