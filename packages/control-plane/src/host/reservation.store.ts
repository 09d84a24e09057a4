import type { Amounts } from '@kvorum/scheduler';
import { type Accelerator, newId } from '@kvorum/schema';
import type { Tx } from '../database/database.js';

export interface NewReservation {
  readonly vmId: string;
  readonly hostId: string;
  /** As the request asks; null: whatever the host has. */
  readonly accelerator: Accelerator | null;
  readonly amounts: Amounts;
}

/**
 * Claims room on a host for a VM and returns the accelerator it will run on, or claims nothing at all and returns null. This one statement is what keeps two VMs from the last core:
 * the UPDATE locks the host's row and, after having waited for another transaction, PostgreSQL checks the condition again
 * against the row as that one left it (READ COMMITTED, "EvalPlanQual"). The reservation's row is inserted from what the
 * UPDATE returned, so the counter and the row exist together or not at all.
 *
 * The VM's row must be inserted later in the same transaction: the foreign key from reservations to vms is deferred.
 */
export async function reserve(
  tx: Tx,
  { vmId, hostId, accelerator, amounts }: NewReservation,
): Promise<Accelerator | null> {
  const [reserved] = await tx.$queryRaw<{ accelerator: Accelerator }[]>`
    WITH host AS (
      UPDATE hosts
         SET reserved_vcpu_count = reserved_vcpu_count + ${amounts.vcpuCount}::int,
             reserved_memory_bytes = reserved_memory_bytes + ${amounts.memoryBytes}::bigint,
             reserved_disk_bytes = reserved_disk_bytes + ${amounts.diskBytes}::bigint
       WHERE id = ${hostId}::uuid
         AND state = 'active'
         AND connectivity = 'connected'
         AND accelerator IS NOT NULL
         AND (${accelerator}::text IS NULL OR accelerator = ${accelerator}::text)
         AND reserved_vcpu_count + ${amounts.vcpuCount}::int <= capacity_vcpu_count
         AND reserved_memory_bytes + ${amounts.memoryBytes}::bigint <= capacity_memory_bytes
         AND reserved_disk_bytes + ${amounts.diskBytes}::bigint <= capacity_disk_bytes
      RETURNING id, accelerator)
    INSERT INTO reservations (id, vm_id, host_id, purpose, vcpu_count, memory_bytes, disk_bytes)
    SELECT ${newId()}::uuid, ${vmId}::uuid, host.id, 'run', ${amounts.vcpuCount}::int, ${amounts.memoryBytes}::bigint,
           ${amounts.diskBytes}::bigint
      FROM host
    RETURNING (SELECT accelerator FROM host) AS accelerator`;
  return reserved?.accelerator ?? null;
}

/** Gives back what a VM holds, once: the row that is deleted says how much. False: it held nothing. */
export async function release(tx: Tx, vmId: string): Promise<boolean> {
  const count = await tx.$executeRaw`
    WITH gone AS (
      DELETE FROM reservations WHERE vm_id = ${vmId}::uuid AND purpose = 'run'
      RETURNING host_id, vcpu_count, memory_bytes, disk_bytes)
    UPDATE hosts
       SET reserved_vcpu_count = reserved_vcpu_count - gone.vcpu_count,
           reserved_memory_bytes = reserved_memory_bytes - gone.memory_bytes,
           reserved_disk_bytes = reserved_disk_bytes - gone.disk_bytes
      FROM gone WHERE hosts.id = gone.host_id`;
  return count === 1;
}
