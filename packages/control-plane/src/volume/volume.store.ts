import type {
  OperationId,
  ProjectId,
  StoragePoolId,
  StoredError,
  VmId,
  Volume,
  VolumeId,
  VolumeState,
} from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface VolumeRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly pool_id: string;
  readonly pool_name: string;
  readonly state: VolumeState;
  readonly size_bytes: bigint;
  readonly source: Volume['source'];
  readonly vm_id: string | null;
  readonly role: 'root' | 'data' | null;
  readonly goes_with_vm: boolean;
  readonly snapshot_count: number;
  readonly trashed_at: Date | null;
  readonly purge_at: Date | null;
  readonly operation_id: string | null;
  readonly failure: StoredError | null;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const volumeOf = (row: VolumeRow): Volume => ({
  id: row.id as VolumeId,
  projectId: row.project_id as ProjectId,
  name: row.name,
  poolId: row.pool_id as StoragePoolId,
  poolName: row.pool_name,
  state: row.state,
  sizeBytes: Number(row.size_bytes),
  source: row.source,
  vmId: row.vm_id as VmId | null,
  role: row.role,
  goesWithVm: row.goes_with_vm,
  snapshotCount: row.snapshot_count,
  trashedAt: row.trashed_at?.toISOString() ?? null,
  purgeAt: row.purge_at?.toISOString() ?? null,
  operationId: row.operation_id as OperationId | null,
  failure: row.failure,
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

const VOLUMES = Prisma.sql`
  SELECT v.id, v.project_id, v.name, v.pool_id, p.name AS pool_name, v.state, v.size_bytes, v.source, v.vm_id, v.role,
         v.goes_with_vm, v.trashed_at, v.operation_id, v.failure, v.generation, v.created_at, v.updated_at,
         v.trashed_at + p.trash_keep_days * interval '1 day' AS purge_at,
         (SELECT count(*)::int FROM volume_snapshots s WHERE s.volume_id = v.id AND s.deleted_at IS NULL) AS snapshot_count
    FROM volumes v JOIN storage_pools p ON p.id = v.pool_id
   WHERE v.deleted_at IS NULL`;

/** On a pool; disks in the folders of agents are none. Null: there is none. */
export async function findVolume(database: Database | Tx, id: string): Promise<Volume | null> {
  const [row] = await database.$queryRaw<VolumeRow[]>`${VOLUMES} AND v.id = ${id}::uuid`;
  return row === undefined ? null : volumeOf(row);
}

/** Of those that there are, by id. */
export async function findVolumesById(
  database: Database | Tx,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Volume>> {
  const rows = await database.$queryRaw<VolumeRow[]>`${VOLUMES} AND v.id = ANY (${[...ids]}::uuid[]) ORDER BY v.id`;
  return new Map(rows.map((row) => [row.id, volumeOf(row)]));
}

export async function findVolumesOfVm(database: Database | Tx, vmId: string): Promise<Volume[]> {
  const rows = await database.$queryRaw<VolumeRow[]>`${VOLUMES} AND v.vm_id = ${vmId}::uuid ORDER BY v.id`;
  return rows.map(volumeOf);
}

export interface VolumeFilter {
  readonly projectId: string | null;
  readonly poolId: string | undefined;
  readonly vmId: string | undefined;
  readonly name: string | undefined;
  readonly state: VolumeState | undefined;
}

export async function findVolumes(database: Database, filter: VolumeFilter, bounds: PageBounds): Promise<Volume[]> {
  const rows = await database.$queryRaw<VolumeRow[]>`
    ${VOLUMES}
       AND (${bounds.afterId}::uuid IS NULL OR v.id > ${bounds.afterId}::uuid)
       AND (${filter.projectId}::uuid IS NULL OR v.project_id = ${filter.projectId}::uuid)
       AND (${filter.poolId ?? null}::uuid IS NULL OR v.pool_id = ${filter.poolId ?? null}::uuid)
       AND (${filter.vmId ?? null}::uuid IS NULL OR v.vm_id = ${filter.vmId ?? null}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR v.name = ${filter.name ?? null}::text)
       AND (${filter.state ?? null}::text IS NULL OR v.state = ${filter.state ?? null}::text)
     ORDER BY v.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(volumeOf);
}

/** On pools, also in the trash. The project's row is locked, so that two who count at once see each other. */
export async function countVolumes(tx: Tx, projectId: string): Promise<number> {
  const [row] = await tx.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM volumes
     WHERE project_id = ${projectId}::uuid AND pool_id IS NOT NULL AND deleted_at IS NULL`;
  return row?.count ?? 0;
}

export interface NewVolume {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly poolId: string;
  readonly sizeBytes: number;
  readonly source: Volume['source'];
  readonly parentVolumeId: string | null;
  readonly operationId: string;
  /** Null: it is of no VM. */
  readonly vm: { readonly id: string; readonly role: 'root' | 'data' } | null;
}

/** Those that could not be made: the project has a volume of their name. The projects' rows are locked. */
export async function insertVolumes(tx: Tx, volumes: readonly NewVolume[]): Promise<NewVolume[]> {
  if (volumes.length === 0) return [];
  const rows = volumes.map(({ vm, ...volume }) => ({ ...volume, vmId: vm?.id ?? null, role: vm?.role ?? null }));
  const written = await tx.$queryRaw<{ id: string }[]>`
    INSERT INTO volumes (id, project_id, name, pool_id, size_bytes, source, parent_volume_id, operation_id, vm_id, role,
                         goes_with_vm, claim_epoch, state)
    SELECT id, "projectId", name, "poolId", "sizeBytes", source, "parentVolumeId", "operationId", "vmId", role,
           "vmId" IS NOT NULL, CASE WHEN "vmId" IS NULL THEN 0 ELSE 1 END, 'creating'
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS w (id uuid, "projectId" uuid, name text, "poolId" uuid, "sizeBytes" bigint, source jsonb, "parentVolumeId" uuid,
              "operationId" uuid, "vmId" uuid, role text)
     ORDER BY "projectId", name
    ON CONFLICT (project_id, name) WHERE pool_id IS NOT NULL AND deleted_at IS NULL AND state <> 'retained' DO NOTHING
    RETURNING id`;
  const ids = new Set(written.map(({ id }) => id));
  return volumes.filter(({ id }) => !ids.has(id));
}

/**
 * Takes volumes for an operation: one generation more, by which it is known on the pool. Guarded by what the decision was made on; of
 * two requests that race, one finds fewer rows than it wants. False: the transaction is to be given up.
 */
export async function takeVolumes(
  tx: Tx,
  volumes: readonly Pick<Volume, 'id' | 'generation' | 'state' | 'vmId'>[],
  operationId: string,
): Promise<boolean> {
  const rows = volumes.map(({ id, generation, state, vmId }) => ({ id, generation, state, vmId }));
  const count = await tx.$executeRaw`
    WITH wanted AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS w (id uuid, generation bigint, state text, "vmId" uuid)),
    locked AS MATERIALIZED (
      SELECT id FROM volumes WHERE id IN (SELECT id FROM wanted) ORDER BY id FOR NO KEY UPDATE)
    UPDATE volumes v
       SET state = 'updating', generation = v.generation + 1, operation_id = ${operationId}::uuid, failure = NULL,
           updated_at = clock_timestamp()
      FROM wanted w JOIN locked l ON l.id = w.id
     WHERE v.id = w.id AND v.generation = w.generation AND v.state = w.state
       AND v.vm_id IS NOT DISTINCT FROM w."vmId" AND v.deleted_at IS NULL`;
  return count === volumes.length;
}

export interface VolumeSettlement {
  readonly state: Extract<VolumeState, 'available' | 'trashed' | 'retained'>;
  readonly failure?: StoredError | null;
  /** Null keeps what it has. */
  readonly sizeBytes?: number;
}

/** Ends what an operation does with volumes. Those that another one has taken meanwhile are left. */
export async function settleVolumes(
  tx: Tx,
  ids: readonly string[],
  operationId: string,
  end: VolumeSettlement,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE volumes
       SET state = ${end.state}, failure = ${end.failure == null ? null : JSON.stringify(end.failure)}::jsonb,
           size_bytes = coalesce(${end.sizeBytes ?? null}::bigint, size_bytes),
           trashed_at = CASE WHEN ${end.state} = 'available' THEN NULL ELSE coalesce(trashed_at, clock_timestamp()) END,
           updated_at = clock_timestamp()
     WHERE id = ANY (${[...ids]}::uuid[]) AND operation_id = ${operationId}::uuid AND state IN ('creating', 'updating')
       AND deleted_at IS NULL`;
}

/** Nothing of it is left on its pool. What it held is to be given back by the caller, in the same transaction. */
export async function markVolumeDeleted(tx: Tx, id: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE volumes SET deleted_at = clock_timestamp(), updated_at = clock_timestamp()
     WHERE id = ${id}::uuid AND deleted_at IS NULL`;
  await tx.$executeRaw`
    UPDATE volume_snapshots SET deleted_at = clock_timestamp() WHERE volume_id = ${id}::uuid AND deleted_at IS NULL`;
}

/** What a volume counts against quota and pool: its size, and that of each of its snapshots. Null: it is deleted. */
export async function findVolumeUsage(
  tx: Tx,
  id: string,
): Promise<{ readonly projectId: string; readonly poolId: string; readonly bytes: number } | null> {
  const [row] = await tx.$queryRaw<{ project_id: string; pool_id: string; bytes: bigint }[]>`
    SELECT v.project_id, v.pool_id, v.size_bytes + coalesce((SELECT sum(s.size_bytes) FROM volume_snapshots s
             WHERE s.volume_id = v.id AND s.deleted_at IS NULL), 0)::bigint AS bytes
      FROM volumes v WHERE v.id = ${id}::uuid AND v.deleted_at IS NULL AND v.pool_id IS NOT NULL`;
  return row === undefined ? null : { projectId: row.project_id, poolId: row.pool_id, bytes: Number(row.bytes) };
}

/** Does a linked clone rest on it? */
export async function hasLinkedClones(tx: Tx, id: string): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ has: boolean }[]>`
    SELECT EXISTS (SELECT FROM volumes c WHERE c.parent_volume_id = ${id}::uuid AND c.deleted_at IS NULL) AS has`;
  return row?.has === true;
}
