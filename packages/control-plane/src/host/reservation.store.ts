import type { Amounts } from '@kvorum/scheduler';
import { type Accelerator, newId, VCPU_OVERCOMMIT_RATIO, type VmCpuPolicy } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';

export interface NewReservation {
  readonly vmId: string;
  readonly hostId: string;
  /** As the request asks; null: whatever the host has. */
  readonly accelerator: Accelerator | null;
  /** On a host without SMT. */
  readonly amounts: Amounts;
  readonly smt: VmCpuPolicy['smt'];
}

/**
 * Claims room on a host for a VM and returns the accelerator it will run on, or claims nothing at all and returns null. This one statement is what keeps two VMs from the last core:
 * the UPDATE locks the host's row and, after having waited for another transaction, PostgreSQL checks the condition again
 * against the row as that one left it (READ COMMITTED, "EvalPlanQual"). The reservation's row is inserted from what the
 * UPDATE returned, so the counter and the row exist together or not at all.
 *
 * The VM's row must be inserted in the same transaction, before or after: the foreign key from reservations to vms is deferred.
 */
export async function reserve(
  tx: Tx,
  { vmId, hostId, accelerator, amounts, smt }: NewReservation,
): Promise<Accelerator | null> {
  const cpus = ownCpusOn(amounts.dedicatedCpuCount, smt);
  const vcpus = Prisma.sql`CASE WHEN ${amounts.dedicatedCpuCount}::int = 0 THEN ${amounts.vcpuCount}::int
                                ELSE ${cpus} * ${VCPU_OVERCOMMIT_RATIO}::int END`;
  const [reserved] = await tx.$queryRaw<{ accelerator: Accelerator }[]>`
    WITH host AS (
      UPDATE hosts
         SET reserved_vcpu_count = reserved_vcpu_count + ${vcpus},
             reserved_memory_bytes = reserved_memory_bytes + ${amounts.memoryBytes}::bigint,
             reserved_disk_bytes = reserved_disk_bytes + ${amounts.diskBytes}::bigint,
             reserved_dedicated_cpu_count = reserved_dedicated_cpu_count + ${cpus},
             reserved_huge_pages_2mib_bytes = reserved_huge_pages_2mib_bytes + ${amounts.hugePages2MibBytes}::bigint,
             reserved_huge_pages_1gib_bytes = reserved_huge_pages_1gib_bytes + ${amounts.hugePages1GibBytes}::bigint
       WHERE id = ${hostId}::uuid
         AND state = 'active'
         AND connectivity = 'connected'
         AND accelerator IS NOT NULL
         AND (${accelerator}::text IS NULL OR accelerator = ${accelerator}::text)
         AND (${smt}::text <> 'require' OR threads_per_core > 1)
         AND reserved_vcpu_count + ${vcpus} <= capacity_vcpu_count
         AND reserved_memory_bytes + ${amounts.memoryBytes}::bigint <= capacity_memory_bytes
         AND reserved_disk_bytes + ${amounts.diskBytes}::bigint <= capacity_disk_bytes
         AND reserved_dedicated_cpu_count + ${cpus} <= capacity_dedicated_cpu_count
         AND reserved_huge_pages_2mib_bytes + ${amounts.hugePages2MibBytes}::bigint <= capacity_huge_pages_2mib_bytes
         AND reserved_huge_pages_1gib_bytes + ${amounts.hugePages1GibBytes}::bigint <= capacity_huge_pages_1gib_bytes
      RETURNING id, accelerator, threads_per_core)
    INSERT INTO reservations (id, vm_id, host_id, purpose, vcpu_count, memory_bytes, disk_bytes, dedicated_cpu_count,
                              huge_pages_2mib_bytes, huge_pages_1gib_bytes)
    SELECT ${newId()}::uuid, ${vmId}::uuid, host.id, 'run', ${vcpus}, ${amounts.memoryBytes}::bigint,
           ${amounts.diskBytes}::bigint, ${cpus}, ${amounts.hugePages2MibBytes}::bigint,
           ${amounts.hugePages1GibBytes}::bigint
      FROM host
    RETURNING (SELECT accelerator FROM host) AS accelerator`;
  return reserved?.accelerator ?? null;
}

/**
 * CPUs that so many dedicated vCPUs take of the row of `hosts` at hand: with SMT more, as its threads share cores. The same
 * rule as dedicatedCpuCount of the schema package; a test compares both.
 */
function ownCpusOn(vcpuCount: number, smt: VmCpuPolicy['smt']): Prisma.Sql {
  if (smt === 'isolate') return Prisma.sql`(${vcpuCount}::int * threads_per_core)`;
  if (smt === 'prefer') return Prisma.sql`${vcpuCount}::int`;
  return Prisma.sql`(ceil(${vcpuCount}::numeric / threads_per_core)::int * threads_per_core)`;
}

/** Gives back what a VM holds, once: the row that is deleted says how much. False: it held nothing. */
export async function release(tx: Tx, vmId: string): Promise<boolean> {
  const count = await tx.$executeRaw`
    WITH gone AS (
      DELETE FROM reservations WHERE vm_id = ${vmId}::uuid AND purpose = 'run'
      RETURNING *)
    UPDATE hosts
       SET reserved_vcpu_count = reserved_vcpu_count - gone.vcpu_count,
           reserved_memory_bytes = reserved_memory_bytes - gone.memory_bytes,
           reserved_disk_bytes = reserved_disk_bytes - gone.disk_bytes,
           reserved_dedicated_cpu_count = reserved_dedicated_cpu_count - gone.dedicated_cpu_count,
           reserved_huge_pages_2mib_bytes = reserved_huge_pages_2mib_bytes - gone.huge_pages_2mib_bytes,
           reserved_huge_pages_1gib_bytes = reserved_huge_pages_1gib_bytes - gone.huge_pages_1gib_bytes
      FROM gone WHERE hosts.id = gone.host_id`;
  return count === 1;
}
