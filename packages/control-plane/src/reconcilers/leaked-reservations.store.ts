import type { Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { Purpose } from '../host/reservation.store.js';

export interface LeakedReservation {
  readonly vm_id: string;
  readonly host_id: string;
  readonly purpose: Purpose;
}

/**
 * VMs that are deleted and yet hold a reservation, or hold one for a move that has ended: no path of the code leaves one, so
 * each is a bug to be told of.
 */
export const findLeakedReservations = (tx: Tx, countMax: number): Promise<LeakedReservation[]> =>
  tx.$queryRaw<LeakedReservation[]>`
    SELECT r.vm_id, r.host_id, r.purpose FROM reservations r JOIN vms v ON v.id = r.vm_id
     WHERE v.deleted_at IS NOT NULL OR (r.purpose = 'move' AND v.state <> 'moving') ORDER BY r.vm_id LIMIT ${countMax}::int`;

export interface RepairedCounter {
  readonly id: string;
  readonly name: string;
  readonly before: Record<string, number>;
  readonly after: Record<string, number>;
}

/**
 * Host counters that are not the sum of their reservations. The sums are read first, without locks; only hosts that look
 * wrong are locked and summed up again. While a host's row is locked nobody can change its reservations, for each change of
 * one is in one transaction with the change of its host's row.
 */
export async function repairHostCounters(tx: Tx): Promise<RepairedCounter[]> {
  const suspects = await tx.$queryRaw<{ id: string }[]>`
    WITH sums AS (SELECT host_id, ${RESERVED_SUMS} FROM reservations r GROUP BY host_id)
    SELECT h.id FROM hosts h LEFT JOIN sums s ON s.host_id = h.id
     WHERE (${HOST_COUNTERS}) IS DISTINCT FROM (
           coalesce(s.vcpus, 0), coalesce(s.memory, 0), coalesce(s.disk, 0), coalesce(s.dedicated, 0),
           coalesce(s.huge_2mib, 0), coalesce(s.huge_1gib, 0))`;
  if (suspects.length === 0) return [];
  const ids = suspects.map((row) => row.id);
  await tx.$executeRaw`SELECT FROM hosts WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
  return tx.$queryRaw<RepairedCounter[]>`
    WITH wanted AS (
      SELECT h.id, ${HOST_COUNTERS}, ${RESERVED_SUMS}
        FROM hosts h LEFT JOIN reservations r ON r.host_id = h.id
       WHERE h.id = ANY (${ids}::uuid[])
       GROUP BY h.id)
    UPDATE hosts h
       SET reserved_vcpu_count = w.vcpus, reserved_memory_bytes = w.memory, reserved_disk_bytes = w.disk,
           reserved_dedicated_cpu_count = w.dedicated, reserved_huge_pages_2mib_bytes = w.huge_2mib,
           reserved_huge_pages_1gib_bytes = w.huge_1gib
      FROM wanted w
     WHERE h.id = w.id AND (${HOST_COUNTERS})
                           IS DISTINCT FROM (w.vcpus, w.memory, w.disk, w.dedicated, w.huge_2mib, w.huge_1gib)
    RETURNING h.id, h.name,
      jsonb_build_object('vcpuCount', w.reserved_vcpu_count, 'memoryBytes', w.reserved_memory_bytes,
                         'diskBytes', w.reserved_disk_bytes, 'dedicatedCpuCount', w.reserved_dedicated_cpu_count,
                         'hugePages2MibBytes', w.reserved_huge_pages_2mib_bytes,
                         'hugePages1GibBytes', w.reserved_huge_pages_1gib_bytes) AS before,
      jsonb_build_object('vcpuCount', w.vcpus, 'memoryBytes', w.memory, 'diskBytes', w.disk,
                         'dedicatedCpuCount', w.dedicated, 'hugePages2MibBytes', w.huge_2mib,
                         'hugePages1GibBytes', w.huge_1gib) AS after`;
}

/** In one order wherever they are compared. */
const HOST_COUNTERS = Prisma.sql`
  h.reserved_vcpu_count, h.reserved_memory_bytes, h.reserved_disk_bytes, h.reserved_dedicated_cpu_count,
  h.reserved_huge_pages_2mib_bytes, h.reserved_huge_pages_1gib_bytes`;
const RESERVED_SUMS = Prisma.sql`
  coalesce(sum(r.vcpu_count), 0)::int AS vcpus, coalesce(sum(r.memory_bytes), 0)::bigint AS memory,
  coalesce(sum(r.disk_bytes), 0)::bigint AS disk, coalesce(sum(r.dedicated_cpu_count), 0)::int AS dedicated,
  coalesce(sum(r.huge_pages_2mib_bytes), 0)::bigint AS huge_2mib,
  coalesce(sum(r.huge_pages_1gib_bytes), 0)::bigint AS huge_1gib`;

const PROJECT_USAGE = Prisma.sql`
  SELECT v.project_id, count(*)::int AS vm_count,
         sum(CASE WHEN r.id IS NULL THEN 0 ELSE coalesce(v.held_vcpu_count, v.vcpu_count) END)::int AS vcpu_count,
         sum(CASE WHEN r.id IS NULL THEN 0 ELSE coalesce(v.held_memory_bytes, v.memory_bytes) END)::bigint AS memory_bytes,
         coalesce(sum(r.disk_bytes), 0)::bigint AS disk_bytes
    FROM vms v LEFT JOIN reservations r ON r.vm_id = v.id AND r.purpose = 'run'
   WHERE v.deleted_at IS NULL
   GROUP BY v.project_id`;

/** Of a project: its volumes on pools, also in the trash, and snapshots of them. Each is changed under the project's lock. */
const POOLED_BYTES = Prisma.sql`
  coalesce((SELECT sum(d.size_bytes) FROM volumes d
             WHERE d.project_id = p.id AND d.pool_id IS NOT NULL AND d.deleted_at IS NULL), 0)::bigint
  + coalesce((SELECT sum(s.size_bytes) FROM volume_snapshots s
               WHERE s.project_id = p.id AND s.deleted_at IS NULL), 0)::bigint`;

/**
 * Project counters that are not the sum of their VMs and volumes: each VM that is not deleted counts as one, and those that hold a
 * reservation with their size as well. Locked and summed up again as above.
 */
export async function repairProjectCounters(tx: Tx): Promise<RepairedCounter[]> {
  const suspects = await tx.$queryRaw<{ id: string }[]>`
    SELECT p.id FROM projects p LEFT JOIN (${PROJECT_USAGE}) u ON u.project_id = p.id
     WHERE (p.used_vm_count, p.used_vcpu_count, p.used_memory_bytes, p.used_disk_bytes)
           IS DISTINCT FROM (coalesce(u.vm_count, 0), coalesce(u.vcpu_count, 0), coalesce(u.memory_bytes, 0),
                             coalesce(u.disk_bytes, 0) + ${POOLED_BYTES})`;
  if (suspects.length === 0) return [];
  const ids = suspects.map((row) => row.id);
  await tx.$executeRaw`SELECT FROM projects WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
  return tx.$queryRaw<RepairedCounter[]>`
    WITH wanted AS (
      SELECT p.id, p.used_vm_count, p.used_vcpu_count, p.used_memory_bytes, p.used_disk_bytes,
             coalesce(u.vm_count, 0) AS vms, coalesce(u.vcpu_count, 0) AS vcpus,
             coalesce(u.memory_bytes, 0) AS memory, coalesce(u.disk_bytes, 0) + ${POOLED_BYTES} AS disk
        FROM projects p LEFT JOIN (${PROJECT_USAGE}) u ON u.project_id = p.id
       WHERE p.id = ANY (${ids}::uuid[]))
    UPDATE projects p
       SET used_vm_count = w.vms, used_vcpu_count = w.vcpus, used_memory_bytes = w.memory, used_disk_bytes = w.disk
      FROM wanted w
     WHERE p.id = w.id AND (w.used_vm_count, w.used_vcpu_count, w.used_memory_bytes, w.used_disk_bytes)
                           IS DISTINCT FROM (w.vms, w.vcpus, w.memory, w.disk)
    RETURNING p.id, p.name,
      jsonb_build_object('vmCount', w.used_vm_count, 'vcpuCount', w.used_vcpu_count,
                         'memoryBytes', w.used_memory_bytes, 'diskBytes', w.used_disk_bytes) AS before,
      jsonb_build_object('vmCount', w.vms, 'vcpuCount', w.vcpus, 'memoryBytes', w.memory, 'diskBytes', w.disk) AS after`;
}

const PROMISED_BYTES = Prisma.sql`
  coalesce((SELECT sum(v.size_bytes) FROM volumes v WHERE v.pool_id = p.id AND v.deleted_at IS NULL), 0)::bigint
  + coalesce((SELECT sum(s.size_bytes) FROM volume_snapshots s JOIN volumes v ON v.id = s.volume_id
               WHERE v.pool_id = p.id AND s.deleted_at IS NULL), 0)::bigint`;

/** Pools that have not promised the sum of their volumes and snapshots. Locked and summed up again as above. */
export async function repairPoolCounters(tx: Tx): Promise<RepairedCounter[]> {
  const suspects = await tx.$queryRaw<{ id: string }[]>`
    SELECT p.id FROM storage_pools p WHERE p.reserved_bytes IS DISTINCT FROM ${PROMISED_BYTES}`;
  if (suspects.length === 0) return [];
  const ids = suspects.map((row) => row.id);
  await tx.$executeRaw`SELECT FROM storage_pools WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
  return tx.$queryRaw<RepairedCounter[]>`
    WITH wanted AS (
      SELECT p.id, p.reserved_bytes, ${PROMISED_BYTES} AS promised FROM storage_pools p WHERE p.id = ANY (${ids}::uuid[]))
    UPDATE storage_pools p SET reserved_bytes = w.promised FROM wanted w
     WHERE p.id = w.id AND w.reserved_bytes IS DISTINCT FROM w.promised
    RETURNING p.id, p.name, jsonb_build_object('reservedBytes', w.reserved_bytes) AS before,
              jsonb_build_object('reservedBytes', w.promised) AS after`;
}
