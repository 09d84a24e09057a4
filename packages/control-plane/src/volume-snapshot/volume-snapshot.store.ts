import type { OperationId, ProjectId, VolumeId, VolumeSnapshot, VolumeSnapshotId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { VolumeSnapshot as SnapshotRow } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

const snapshotOf = (row: SnapshotRow): VolumeSnapshot => ({
  id: row.id as VolumeSnapshotId,
  setId: row.setId,
  volumeId: row.volumeId as VolumeId,
  projectId: row.projectId as ProjectId,
  name: row.name,
  state: row.state as VolumeSnapshot['state'],
  sizeBytes: Number(row.sizeBytes),
  wasFrozen: row.wasFrozen,
  operationId: row.operationId as OperationId | null,
  createdAt: row.createdAt.toISOString(),
});

export async function findSnapshot(database: Database | Tx, id: string): Promise<VolumeSnapshot | null> {
  const row = await database.volumeSnapshot.findUnique({ where: { id, deletedAt: null } });
  return row === null ? null : snapshotOf(row);
}

export interface SnapshotFilter {
  readonly projectId: string | null;
  readonly volumeId: string | undefined;
  readonly setId: string | undefined;
  readonly name: string | undefined;
  /** Of the volumes that this VM has now. */
  readonly vmId: string | undefined;
}

export async function findSnapshots(
  database: Database,
  { projectId, volumeId, setId, name, vmId }: SnapshotFilter,
  bounds: PageBounds,
): Promise<VolumeSnapshot[]> {
  const ofVm =
    vmId === undefined
      ? null
      : await database.volume.findMany({
          where: { vmId, deletedAt: null, poolId: { not: null } },
          select: { id: true },
        });
  const rows = await database.volumeSnapshot.findMany({
    where: {
      deletedAt: null,
      AND: [
        bounds.afterId === null ? {} : { id: { gt: bounds.afterId } },
        projectId === null ? {} : { projectId },
        volumeId === undefined ? {} : { volumeId },
        ofVm === null ? {} : { volumeId: { in: ofVm.map(({ id }) => id) } },
        setId === undefined ? {} : { setId },
        name === undefined ? {} : { name },
      ],
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
  });
  return rows.map(snapshotOf);
}

export interface NewSnapshot {
  readonly id: string;
  readonly setId: string;
  readonly volumeId: string;
  readonly projectId: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly operationId: string;
}

/** How many were made: fewer than asked for, if a volume has a snapshot of the name. The volumes are taken by the operation. */
export async function insertSnapshots(tx: Tx, snapshots: readonly NewSnapshot[]): Promise<number> {
  return tx.$executeRaw`
    INSERT INTO volume_snapshots (id, set_id, volume_id, project_id, name, size_bytes, operation_id, state)
    SELECT id, "setId", "volumeId", "projectId", name, "sizeBytes", "operationId", 'creating'
      FROM jsonb_to_recordset(${JSON.stringify(snapshots)}::jsonb)
        AS s (id uuid, "setId" uuid, "volumeId" uuid, "projectId" uuid, name text, "sizeBytes" bigint, "operationId" uuid)
    ON CONFLICT (volume_id, name) WHERE deleted_at IS NULL DO NOTHING`;
}

export async function markSnapshotsAvailable(tx: Tx, ids: readonly string[], wasFrozen: boolean | null): Promise<void> {
  await tx.$executeRaw`
    UPDATE volume_snapshots SET state = 'available', was_frozen = coalesce(${wasFrozen}::boolean, was_frozen)
     WHERE id = ANY (${[...ids]}::uuid[]) AND deleted_at IS NULL`;
}

/** False: somebody else deletes it. */
export async function markSnapshotDeleting(tx: Tx, id: string, operationId: string): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE volume_snapshots SET state = 'deleting', operation_id = ${operationId}::uuid
     WHERE id = ${id}::uuid AND state = 'available' AND deleted_at IS NULL`;
  return count === 1;
}

/** What they counted is to be given back by the caller, in the same transaction. */
export async function markSnapshotsDeleted(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.$executeRaw`
    UPDATE volume_snapshots SET deleted_at = clock_timestamp()
     WHERE id = ANY (${[...ids]}::uuid[]) AND deleted_at IS NULL`;
}
