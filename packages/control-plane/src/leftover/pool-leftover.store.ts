import type { Database, Tx } from '../database/database.js';

export interface SeenPoolLeftover {
  readonly id: string;
  readonly name: string;
  /** Id of the volume, as far as the name says. */
  readonly ownerId: string | null;
  readonly sizeBytes: number;
}

/** Makes the record of a pool what this host has told of it. Returns what was not known before. */
export async function writePoolLeftovers(
  tx: Tx,
  of: { readonly hostId: string; readonly poolId: string },
  seen: readonly SeenPoolLeftover[],
): Promise<SeenPoolLeftover[]> {
  // Two sweeps of one pool, by whatever hosts, one after the other.
  await tx.$queryRaw`SELECT 1 FROM storage_pools WHERE id = ${of.poolId}::uuid FOR NO KEY UPDATE`;
  const rows = await tx.$queryRaw<{ id: string }[]>`
    INSERT INTO leftovers AS l
      (id, host_id, pool_id, kind, name, owner_id, size_bytes, first_seen_at, last_seen_at)
    SELECT s.id, ${of.hostId}::uuid, ${of.poolId}::uuid, 'volume', s.name, s."ownerId", s."sizeBytes",
           clock_timestamp(), clock_timestamp()
      FROM jsonb_to_recordset(${JSON.stringify(seen)}::jsonb)
             AS s (id uuid, name text, "ownerId" uuid, "sizeBytes" bigint)
    ON CONFLICT (pool_id, name) WHERE pool_id IS NOT NULL
       DO UPDATE SET host_id = excluded.host_id, size_bytes = excluded.size_bytes, last_seen_at = excluded.last_seen_at
    RETURNING l.id`;
  await tx.$executeRaw`
    DELETE FROM leftovers WHERE pool_id = ${of.poolId}::uuid AND id <> ALL (${rows.map(({ id }) => id)}::uuid[])`;
  const ids = new Set(rows.map(({ id }) => id));
  return seen.filter(({ id }) => ids.has(id));
}

/** Pools that the host can use now. */
export const findPoolsOfHost = (
  database: Database,
  hostId: string,
): Promise<{ readonly id: string; readonly name: string }[]> =>
  database.$queryRaw<{ id: string; name: string }[]>`
    SELECT p.id, p.name FROM host_storage_pools s JOIN storage_pools p ON p.id = s.pool_id
     WHERE s.host_id = ${hostId}::uuid AND s.fault IS NULL ORDER BY p.name, p.id`;
