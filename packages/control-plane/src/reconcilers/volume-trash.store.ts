import type { Volume } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { findVolumesById } from '../volume/volume.store.js';

/** Volumes that were in the trash for as long as their pools keep it, locked, the longest first. Others skip those. */
export async function lockOverdueTrash(tx: Tx, countMax: number): Promise<Volume[]> {
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT v.id FROM volumes v JOIN storage_pools p ON p.id = v.pool_id
     WHERE v.state = 'trashed' AND v.deleted_at IS NULL
       AND v.trashed_at <= clock_timestamp() - p.trash_keep_days * interval '1 day'
     ORDER BY v.trashed_at LIMIT ${countMax}::int FOR NO KEY UPDATE OF v SKIP LOCKED`;
  return [
    ...(
      await findVolumesById(
        tx,
        rows.map(({ id }) => id),
      )
    ).values(),
  ];
}

export interface RetainedVolume {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly operation_id: string;
}

/** Volumes that were purged, and on which no linked clone rests any more. */
export const findFreeRetained = (tx: Tx, countMax: number): Promise<RetainedVolume[]> =>
  tx.$queryRaw<RetainedVolume[]>`
    SELECT v.id, v.project_id, v.name, v.operation_id FROM volumes v
     WHERE v.state = 'retained' AND v.deleted_at IS NULL
       AND NOT EXISTS (SELECT FROM volumes c WHERE c.parent_volume_id = v.id AND c.deleted_at IS NULL)
     ORDER BY v.project_id, v.id LIMIT ${countMax}::int`;
