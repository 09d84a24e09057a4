import type { Amounts } from '@kvorum/scheduler';
import { type Accelerator, newId, VCPU_OVERCOMMIT_RATIO, type VmCpuPolicy } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';

export interface NewReservation extends Amounts {
  readonly vmId: string;
  readonly hostId: string;
  readonly accelerator: Accelerator;
  /** The amounts are those on a host without SMT. */
  readonly smt: VmCpuPolicy['smt'];
  /** Default: where it is to live from now on. `move`: where it is to live once it has been moved there. */
  readonly purpose?: Purpose;
  readonly reservationId?: string;
}

export type Purpose = 'run' | 'move';

/**
 * Claims room on hosts for VMs; on each host for all of its VMs or for none. False: some have no room, and the transaction is
 * to be given up. This one statement is what keeps two VMs from the last core: it locks the rows of hosts, in the order of
 * their ids, and after having waited for another transaction PostgreSQL checks the condition against the row as that one
 * left it (READ COMMITTED, "EvalPlanQual"). The reservations are inserted from what the UPDATE returned, so counters and rows
 * exist together or not at all.
 *
 * A VM that has a reservation of the same purpose gets none: of two transactions that move it, one is given up.
 *
 * The VMs' rows must be inserted in the same transaction, before or after: the foreign key from reservations to vms is
 * deferred.
 */
export async function reserve(tx: Tx, reservations: readonly NewReservation[]): Promise<boolean> {
  const rows = reservations.map(({ reservationId = newId(), purpose = 'run', ...reservation }) => {
    return { ...reservation, id: reservationId, purpose };
  });
  const count = await tx.$executeRaw`
    WITH wanted AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS w (id uuid, purpose text, "vmId" uuid, "hostId" uuid, accelerator text, smt text, "vcpuCount" int, "memoryBytes" bigint,
              "diskBytes" bigint, "dedicatedCpuCount" int, "hugePages2MibBytes" bigint, "hugePages1GibBytes" bigint)),
    locked AS MATERIALIZED (
      SELECT id, threads_per_core FROM hosts
       WHERE id IN (SELECT "hostId" FROM wanted) ORDER BY id FOR NO KEY UPDATE),
    needed AS (
      SELECT w.*, own.cpus,
             CASE WHEN "dedicatedCpuCount" = 0 THEN "vcpuCount" ELSE own.cpus * ${VCPU_OVERCOMMIT_RATIO}::int END AS vcpus
        FROM wanted w JOIN locked ON locked.id = w."hostId",
             LATERAL (SELECT ${OWN_CPUS} AS cpus) own),
    sums AS (
      SELECT "hostId", sum(vcpus)::int AS vcpus, sum("memoryBytes")::bigint AS memory, sum("diskBytes")::bigint AS disk,
             sum(cpus)::int AS cpus, sum("hugePages2MibBytes")::bigint AS huge_2mib,
             sum("hugePages1GibBytes")::bigint AS huge_1gib, array_agg(accelerator) AS accelerators,
             bool_or(smt = 'require') AS needs_smt
        FROM needed GROUP BY "hostId"),
    taken AS (
      UPDATE hosts
         SET reserved_vcpu_count = reserved_vcpu_count + s.vcpus,
             reserved_memory_bytes = reserved_memory_bytes + s.memory,
             reserved_disk_bytes = reserved_disk_bytes + s.disk,
             reserved_dedicated_cpu_count = reserved_dedicated_cpu_count + s.cpus,
             reserved_huge_pages_2mib_bytes = reserved_huge_pages_2mib_bytes + s.huge_2mib,
             reserved_huge_pages_1gib_bytes = reserved_huge_pages_1gib_bytes + s.huge_1gib
        FROM sums s
       WHERE hosts.id = s."hostId"
         AND state = 'active'
         AND connectivity = 'connected'
         AND accelerator = ALL (s.accelerators)
         AND (NOT s.needs_smt OR threads_per_core > 1)
         AND reserved_vcpu_count + s.vcpus <= capacity_vcpu_count
         AND reserved_memory_bytes + s.memory <= capacity_memory_bytes
         AND reserved_disk_bytes + s.disk <= capacity_disk_bytes
         AND reserved_dedicated_cpu_count + s.cpus <= capacity_dedicated_cpu_count
         AND reserved_huge_pages_2mib_bytes + s.huge_2mib <= capacity_huge_pages_2mib_bytes
         AND reserved_huge_pages_1gib_bytes + s.huge_1gib <= capacity_huge_pages_1gib_bytes
      RETURNING hosts.id)
    INSERT INTO reservations (id, vm_id, host_id, purpose, vcpu_count, memory_bytes, disk_bytes, dedicated_cpu_count,
                              huge_pages_2mib_bytes, huge_pages_1gib_bytes)
    SELECT n.id, n."vmId", n."hostId", n.purpose, n.vcpus, n."memoryBytes", n."diskBytes", n.cpus, n."hugePages2MibBytes",
           n."hugePages1GibBytes"
      FROM needed n JOIN taken ON taken.id = n."hostId"
    ON CONFLICT (vm_id, purpose) DO NOTHING`;
  return count === rows.length;
}

/**
 * CPUs that so many dedicated vCPUs take of the host at hand: with SMT more, as its threads share cores. The same rule as
 * dedicatedCpuCount of the schema package; a test compares both.
 */
const OWN_CPUS = Prisma.sql`
  CASE smt WHEN 'isolate' THEN "dedicatedCpuCount" * threads_per_core
           WHEN 'prefer' THEN "dedicatedCpuCount"
           ELSE ceil("dedicatedCpuCount"::numeric / threads_per_core)::int * threads_per_core END`;

/** Gives back what a VM holds, once: the row that is deleted says how much. False: it held nothing. */
export async function release(tx: Tx, vmId: string, purpose: Purpose = 'run'): Promise<boolean> {
  const count = await tx.$executeRaw`
    WITH gone AS (
      DELETE FROM reservations WHERE vm_id = ${vmId}::uuid AND purpose = ${purpose}
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
