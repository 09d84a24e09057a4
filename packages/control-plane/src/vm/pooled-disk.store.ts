import type { Database, Tx } from '../database/database.js';
import type { AttachedVolume } from './pooled-disks.js';
import type { PooledVolumeOfVm } from './vm-operation.js';

interface PooledRow {
  readonly id: string;
  readonly pool_id: string;
  readonly name: string;
  readonly size_bytes: bigint;
  readonly generation: bigint;
  readonly claim_epoch: bigint;
  readonly goes_with_vm: boolean;
}

const pooledOf = (row: PooledRow): PooledVolumeOfVm => ({
  volumeId: row.id,
  poolId: row.pool_id,
  name: row.name,
  sizeBytes: Number(row.size_bytes),
  generation: Number(row.generation),
  claimEpoch: Number(row.claim_epoch),
  goesWithVm: row.goes_with_vm,
});

/**
 * The volumes of a VM for an intent on it: one generation more, by which late requests are known on the pool, and at a new run the
 * right to use them anew. The VM's row is locked.
 */
export async function takeVolumesOfVm(
  tx: Tx,
  vmId: string,
  { isNewRun }: { isNewRun: boolean },
): Promise<PooledVolumeOfVm[]> {
  const rows = await tx.$queryRaw<PooledRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT id FROM volumes WHERE vm_id = ${vmId}::uuid AND pool_id IS NOT NULL AND deleted_at IS NULL
       ORDER BY id FOR NO KEY UPDATE)
    UPDATE volumes v
       SET generation = v.generation + 1, claim_epoch = v.claim_epoch + CASE WHEN ${isNewRun} THEN 1 ELSE 0 END
      FROM locked WHERE v.id = locked.id
    RETURNING v.id, v.pool_id, v.name, v.size_bytes, v.generation, v.claim_epoch, v.goes_with_vm`;
  return rows.map(pooledOf).sort((one, other) => one.volumeId.localeCompare(other.volumeId));
}

export interface FoundVolume extends AttachedVolume {
  readonly projectId: string;
  readonly state: string;
  readonly vmId: string | null;
}

/** On pools, by id. */
export async function findAttachable(
  database: Database | Tx,
  ids: readonly string[],
): Promise<ReadonlyMap<string, FoundVolume>> {
  const rows = await database.$queryRaw<(PooledRow & { project_id: string; state: string; vm_id: string | null })[]>`
    SELECT v.id, v.pool_id, v.name, v.size_bytes, v.generation, v.claim_epoch, v.goes_with_vm, v.project_id, v.state, v.vm_id
      FROM volumes v
     WHERE v.id = ANY (${[...ids]}::uuid[]) AND v.pool_id IS NOT NULL AND v.deleted_at IS NULL`;
  return new Map(
    rows.map((row) => [row.id, { ...pooledOf(row), projectId: row.project_id, state: row.state, vmId: row.vm_id }]),
  );
}

/**
 * Makes volumes disks of a VM. Guarded by the generation they were read at, and by that no VM has them: of two VMs that want one, one
 * finds fewer rows. False: the transaction is to be given up.
 */
export async function attachVolumes(tx: Tx, vmId: string, volumes: readonly AttachedVolume[]): Promise<boolean> {
  if (volumes.length === 0) return true;
  const rows = volumes.map(({ volumeId: id, generation }) => ({ id, generation }));
  const count = await tx.$executeRaw`
    WITH wanted AS (SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS w (id uuid, generation bigint)),
    locked AS MATERIALIZED (
      SELECT id FROM volumes WHERE id IN (SELECT id FROM wanted) ORDER BY id FOR NO KEY UPDATE)
    UPDATE volumes v
       SET vm_id = ${vmId}::uuid, role = 'data', generation = v.generation + 1, claim_epoch = v.claim_epoch + 1,
           goes_with_vm = false, updated_at = clock_timestamp()
      FROM wanted w JOIN locked l ON l.id = w.id
     WHERE v.id = w.id AND v.generation = w.generation AND v.vm_id IS NULL AND v.state = 'available' AND v.deleted_at IS NULL`;
  return count === volumes.length;
}

/** Volumes that are disks of the VM no more; they stay, for themselves. */
export async function detachVolumes(tx: Tx, vmId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.$executeRaw`
    UPDATE volumes SET vm_id = NULL, role = NULL, goes_with_vm = false, updated_at = clock_timestamp()
     WHERE vm_id = ${vmId}::uuid AND id = ANY (${[...ids]}::uuid[]) AND pool_id IS NOT NULL AND deleted_at IS NULL`;
}

/** Of a VM that is deleted: those made with it are in the trash, the others are of no VM. */
export async function partVolumes(tx: Tx, vmId: string, operationId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE volumes
       SET vm_id = NULL, role = NULL, operation_id = ${operationId}::uuid, updated_at = clock_timestamp(),
           state = CASE WHEN goes_with_vm THEN 'trashed' ELSE state END,
           trashed_at = CASE WHEN goes_with_vm THEN clock_timestamp() ELSE trashed_at END,
           goes_with_vm = false
     WHERE vm_id = ${vmId}::uuid AND pool_id IS NOT NULL AND deleted_at IS NULL`;
}

export async function writeVolumeSize(tx: Tx, volumeId: string, sizeBytes: number): Promise<void> {
  await tx.$executeRaw`
    UPDATE volumes SET size_bytes = ${sizeBytes}::bigint, updated_at = clock_timestamp() WHERE id = ${volumeId}::uuid`;
}

/** As its host said last. */
export async function findGuestAgent(tx: Tx, vmId: string): Promise<string | null> {
  const vm = await tx.vm.findUnique({ where: { id: vmId }, select: { guestAgent: true } });
  return vm?.guestAgent ?? null;
}

export interface RootVolume {
  readonly volumeId: string;
  readonly sizeBytes: number;
  /** Null: it lies in the folder of the VM's host. */
  readonly poolId: string | null;
}

/** Null: it has none (any more). */
export async function findRootVolume(tx: Tx, vmId: string): Promise<RootVolume | null> {
  const rows = await tx.$queryRaw<{ id: string; size_bytes: bigint; pool_id: string | null }[]>`
    SELECT id, size_bytes, pool_id FROM volumes WHERE vm_id = ${vmId}::uuid AND role = 'root' AND deleted_at IS NULL`;
  const [row] = rows;
  return row === undefined ? null : { volumeId: row.id, sizeBytes: Number(row.size_bytes), poolId: row.pool_id };
}
