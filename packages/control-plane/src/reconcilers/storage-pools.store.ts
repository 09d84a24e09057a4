import type { Database } from '../database/database.js';

/** A pool whose turn it is to be compared with the record. Whoever gets it is alone with it for the time. Null: none is due. */
export async function takeDuePool(
  database: Database,
  periodMs: number,
): Promise<{ readonly id: string; readonly name: string } | null> {
  const [pool] = await database.$queryRaw<{ id: string; name: string }[]>`
    UPDATE storage_pools p SET swept_at = clock_timestamp()
      FROM (SELECT id FROM storage_pools WHERE swept_at <= clock_timestamp() - ${periodMs}::int * interval '1 millisecond'
             ORDER BY swept_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) due
     WHERE p.id = due.id
    RETURNING p.id, p.name`;
  return pool ?? null;
}

/** Volumes of the pool that should be on it: in no operation, and neither just made nor just changed. */
export const findSettledVolumes = (
  database: Database,
  poolId: string,
  page: { readonly afterId: string | null; readonly countMax: number },
): Promise<{ id: string }[]> =>
  database.$queryRaw<{ id: string }[]>`
    SELECT v.id FROM volumes v
     WHERE v.pool_id = ${poolId}::uuid AND v.deleted_at IS NULL AND v.state IN ('available', 'trashed')
       AND v.updated_at < clock_timestamp() - interval '1 minute'
       AND (${page.afterId}::uuid IS NULL OR v.id > ${page.afterId}::uuid)
     ORDER BY v.id LIMIT ${page.countMax}::int`;
