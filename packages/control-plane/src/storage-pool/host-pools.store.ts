import type { Tx } from '../database/database.js';
import type { AgentPool } from '../host/pool-report.js';

/**
 * Writes what a host says of its pools, all of them; its row is locked. A pool that nobody knew is made. Returns names of pools that
 * are not this host's to tell of: a pool that is not shared is of the host that told of it first, and no report changes what a pool is.
 */
export async function writeHostPools(tx: Tx, hostId: string, pools: readonly AgentPool[]): Promise<string[]> {
  const rows = pools.map(({ facts, ...pool }) => ({ ...pool, ...facts, isOpen: facts !== null }));
  const json = JSON.stringify(rows);
  await tx.$executeRaw`
    INSERT INTO storage_pools (id, name, driver, host_id, capabilities)
    SELECT t."poolId", t.name, t.driver, CASE WHEN t.driver IN ('dir', 'lvm-thin') THEN ${hostId}::uuid END, t.capabilities
      FROM jsonb_to_recordset(${json}::jsonb) AS t ("poolId" uuid, name text, driver text, capabilities jsonb, "isOpen" boolean)
     WHERE t."poolId" IS NOT NULL AND t."isOpen" ORDER BY t."poolId"
    ON CONFLICT (id) DO NOTHING`;
  const told = await tx.$queryRaw<{ name: string; is_foreign: boolean }[]>`
    WITH told AS (
      SELECT t.*, p.id AS known_id,
             t."poolId" IS NOT NULL AND p.id IS NOT NULL
               AND NOT (p.driver = t.driver AND (p.host_id IS NULL OR p.host_id = ${hostId}::uuid)) AS is_foreign
        FROM jsonb_to_recordset(${json}::jsonb)
          AS t ("poolId" uuid, name text, driver text, "totalBytes" bigint, "freeBytes" bigint, "allocatedBytes" bigint,
                "trashedBytes" bigint, "isAboveHighWater" boolean, fault text, "isOpen" boolean)
        LEFT JOIN storage_pools p ON p.id = t."poolId"),
    gone AS (
      DELETE FROM host_storage_pools s
       WHERE s.host_id = ${hostId}::uuid AND s.name NOT IN (SELECT name FROM told)),
    written AS (
      INSERT INTO host_storage_pools AS s (host_id, name, pool_id, total_bytes, free_bytes, allocated_bytes, trashed_bytes,
                                           is_above_high_water, fault)
      SELECT ${hostId}::uuid, t.name, CASE WHEN NOT t.is_foreign THEN t.known_id END,
             coalesce(t."totalBytes", 0), coalesce(t."freeBytes", 0), coalesce(t."allocatedBytes", 0),
             coalesce(t."trashedBytes", 0), coalesce(t."isAboveHighWater", false),
             CASE WHEN t.is_foreign THEN 'another host has told of this pool before, as one that is not shared'
                  WHEN NOT t."isOpen" THEN coalesce(t.fault, 'it is not open') ELSE t.fault END
        FROM told t
      ON CONFLICT (host_id, name) DO UPDATE
         SET pool_id = excluded.pool_id, total_bytes = excluded.total_bytes, free_bytes = excluded.free_bytes,
             allocated_bytes = excluded.allocated_bytes, trashed_bytes = excluded.trashed_bytes,
             is_above_high_water = excluded.is_above_high_water, fault = excluded.fault
       WHERE (s.pool_id, s.total_bytes, s.free_bytes, s.allocated_bytes, s.trashed_bytes, s.is_above_high_water, s.fault)
             IS DISTINCT FROM (excluded.pool_id, excluded.total_bytes, excluded.free_bytes, excluded.allocated_bytes,
                               excluded.trashed_bytes, excluded.is_above_high_water, excluded.fault))
    SELECT name, is_foreign FROM told`;
  await writeCapabilities(tx, hostId, json);
  // A statement of its own: it reads what was written above.
  await tx.$executeRaw`
    UPDATE hosts h SET storage_pool_ids = usable.ids
      FROM (SELECT coalesce(array_agg(s.pool_id ORDER BY s.pool_id), '{}') AS ids FROM host_storage_pools s
             WHERE s.host_id = ${hostId}::uuid AND s.pool_id IS NOT NULL AND s.fault IS NULL) usable
     WHERE h.id = ${hostId}::uuid AND h.storage_pool_ids IS DISTINCT FROM usable.ids`;
  return told.filter(({ is_foreign }) => is_foreign).map(({ name }) => name);
}

/** A pool's file system may have learned to share blocks, or its host been given another name for it. */
async function writeCapabilities(tx: Tx, hostId: string, json: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE storage_pools p SET capabilities = t.capabilities, name = t.name
      FROM jsonb_to_recordset(${json}::jsonb) AS t ("poolId" uuid, name text, driver text, capabilities jsonb, "isOpen" boolean)
     WHERE p.id = t."poolId" AND p.host_id = ${hostId}::uuid AND p.driver = t.driver AND t."isOpen"
       AND (p.capabilities, p.name) IS DISTINCT FROM (t.capabilities, t.name)`;
}
