import type { StoragePool, StoragePoolDriver, StoragePoolId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface PoolRow {
  readonly id: string;
  readonly name: string;
  readonly driver: StoragePoolDriver;
  readonly description: string;
  readonly capabilities: StoragePool['capabilities'];
  readonly overcommit_percent: number;
  readonly trash_keep_days: number;
  readonly reserved_bytes: bigint;
  readonly total_bytes: bigint | null;
  readonly free_bytes: bigint | null;
  readonly allocated_bytes: bigint | null;
  readonly trashed_bytes: bigint | null;
  readonly is_above_high_water: boolean;
  readonly volume_count: number;
  readonly hosts: StoragePool['hosts'] | null;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const numberOrNull = (value: bigint | null): number | null => (value === null ? null : Number(value));

function poolOf(row: PoolRow): StoragePool {
  const totalBytes = numberOrNull(row.total_bytes);
  const reservedBytes = Number(row.reserved_bytes);
  const promisable = Math.floor(((totalBytes ?? 0) * row.overcommit_percent) / 100);
  return {
    id: row.id as StoragePoolId,
    name: row.name,
    driver: row.driver,
    description: row.description,
    capabilities: row.capabilities,
    overcommitRatio: row.overcommit_percent / 100,
    trashKeepDays: row.trash_keep_days,
    totalBytes,
    freeBytes: numberOrNull(row.free_bytes),
    allocatedBytes: numberOrNull(row.allocated_bytes),
    trashedBytes: numberOrNull(row.trashed_bytes),
    isAboveHighWater: row.is_above_high_water,
    reservedBytes,
    reservableBytes: row.is_above_high_water ? 0 : Math.max(0, promisable - reservedBytes),
    volumeCount: row.volume_count,
    hosts: row.hosts ?? [],
    generation: Number(row.generation),
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

/**
 * What the hosts that can use a pool say of it. They see the same file system; where they differ, the least room counts, so that a
 * host which is wrong, or lies, makes others wait but never lets them promise too much.
 */
const FACTS = Prisma.sql`
  SELECT min(f.total_bytes) AS total_bytes, min(f.free_bytes) AS free_bytes, max(f.allocated_bytes) AS allocated_bytes,
         max(f.trashed_bytes) AS trashed_bytes, coalesce(bool_or(f.is_above_high_water), false) AS is_above_high_water
    FROM host_storage_pools f WHERE f.pool_id = p.id AND f.fault IS NULL`;

const POOLS = Prisma.sql`
  SELECT p.id, p.name, p.driver, p.description, p.capabilities, p.overcommit_percent, p.trash_keep_days, p.reserved_bytes,
         p.generation, p.created_at, p.updated_at, facts.*,
         (SELECT count(*)::int FROM volumes v WHERE v.pool_id = p.id AND v.deleted_at IS NULL) AS volume_count,
         (SELECT jsonb_agg(jsonb_build_object('id', h.id, 'name', h.name, 'isConnected', h.connectivity = 'connected',
                                              'fault', s.fault) ORDER BY h.name)
            FROM host_storage_pools s JOIN hosts h ON h.id = s.host_id
           WHERE s.pool_id = p.id AND h.state <> 'revoked') AS hosts
    FROM storage_pools p CROSS JOIN LATERAL (${FACTS}) facts`;

export async function findPool(database: Database | Tx, id: string): Promise<StoragePool | null> {
  const [row] = await database.$queryRaw<PoolRow[]>`${POOLS} WHERE p.id = ${id}::uuid`;
  return row === undefined ? null : poolOf(row);
}

export async function findPools(
  database: Database,
  filter: { readonly name: string | undefined; readonly hostId: string | undefined },
  bounds: PageBounds,
): Promise<StoragePool[]> {
  const rows = await database.$queryRaw<PoolRow[]>`
    ${POOLS}
     WHERE (${bounds.afterId}::uuid IS NULL OR p.id > ${bounds.afterId}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR p.name = ${filter.name ?? null}::text)
       AND (${filter.hostId ?? null}::uuid IS NULL OR EXISTS (
             SELECT FROM host_storage_pools s WHERE s.pool_id = p.id AND s.host_id = ${filter.hostId ?? null}::uuid))
     ORDER BY p.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(poolOf);
}

/** Undefined keeps what is there. */
export interface PoolChange {
  readonly description: string | undefined;
  readonly overcommitRatio: number | undefined;
  readonly trashKeepDays: number | undefined;
  readonly now: Date;
}

/** Locks it against others that change it or take room, until the transaction ends. Null: there is none. */
export async function lockPool(tx: Tx, id: string): Promise<StoragePool | null> {
  await tx.$queryRaw`SELECT 1 FROM storage_pools WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
  return findPool(tx, id);
}

export async function writePool(tx: Tx, id: string, change: PoolChange): Promise<void> {
  const percent = change.overcommitRatio === undefined ? null : Math.round(change.overcommitRatio * 100);
  await tx.$executeRaw`
    UPDATE storage_pools
       SET description = coalesce(${change.description ?? null}::text, description),
           overcommit_percent = coalesce(${percent}::int, overcommit_percent),
           trash_keep_days = coalesce(${change.trashKeepDays ?? null}::int, trash_keep_days),
           generation = generation + 1, updated_at = ${change.now}::timestamptz
     WHERE id = ${id}::uuid`;
}

/**
 * Promises `bytes` more of the pool, if it may promise so much and is not nearly full. PostgreSQL locks the row and looks at its
 * newest version before it decides, so that two who race for the last room cannot both pass. False: nothing was done.
 */
export async function takePoolRoom(tx: Tx, poolId: string, bytes: number): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE storage_pools p SET reserved_bytes = p.reserved_bytes + ${bytes}::bigint
     WHERE p.id = ${poolId}::uuid
       AND EXISTS (SELECT FROM (${FACTS}) facts
                    WHERE NOT facts.is_above_high_water
                      AND p.reserved_bytes + ${bytes}::bigint <= facts.total_bytes * p.overcommit_percent / 100)`;
  return count === 1;
}

/** Gives back what `takePoolRoom` took. The caller makes sure that it happens once; the CHECK of the table sees below zero. */
export async function returnPoolRoom(tx: Tx, poolId: string, bytes: number): Promise<void> {
  await tx.$executeRaw`
    UPDATE storage_pools SET reserved_bytes = reserved_bytes - ${bytes}::bigint WHERE id = ${poolId}::uuid`;
}

export interface HostOfPool {
  readonly id: string;
  readonly name: string;
  readonly address: string;
}

/** A connected host that can use the pool, the preferred one if that can. Null: there is none now. */
export async function findHostOfPool(
  database: Database | Tx,
  poolId: string,
  preferredHostId: string | null,
): Promise<HostOfPool | null> {
  const [host] = await database.$queryRaw<HostOfPool[]>`
    SELECT h.id, h.name, h.address FROM host_storage_pools s JOIN hosts h ON h.id = s.host_id
     WHERE s.pool_id = ${poolId}::uuid AND s.fault IS NULL AND h.state <> 'revoked' AND h.connectivity = 'connected'
     ORDER BY h.id IS DISTINCT FROM ${preferredHostId}::uuid, h.id LIMIT 1`;
  return host ?? null;
}

/** Can the host use each of the pools now? Returns those that it cannot. */
export async function findPoolsOutOfReach(tx: Tx, hostId: string, poolIds: readonly string[]): Promise<string[]> {
  const rows = await tx.$queryRaw<{ name: string }[]>`
    SELECT p.name FROM storage_pools p JOIN hosts h ON h.id = ${hostId}::uuid
     WHERE p.id = ANY (${[...poolIds]}::uuid[]) AND p.id <> ALL (h.storage_pool_ids) ORDER BY p.name`;
  return rows.map(({ name }) => name);
}
