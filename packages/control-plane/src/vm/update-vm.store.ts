import type { Amounts } from '@kvorum/scheduler';
import type { Accelerator } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import { takeQuota } from '../project/project.store.js';
import type { VmForIntent } from './vm-intent.store.js';
import { type Held, type HeldDifference, heldDifference, roomFor, type VmShape } from './vm-shape.js';

/** A VM that was made before its record said how large its root disk is: its volume does. */
export const shapeOf = (vm: VmForIntent): VmShape => {
  const { vcpuCount, memoryBytes, balloon, hardware, cloudInit } = vm;
  const { rootDisk } = hardware.devices;
  const sized = { ...rootDisk, sizeBytes: rootDisk.sizeBytes ?? vm.rootDiskBytes };
  const devices = { ...hardware.devices, rootDisk: sized };
  return { vcpuCount, memoryBytes, balloon, hardware: { ...hardware, devices }, cloudInit };
};

/** Whoever has too little: quota of the project, or room of the host. */
export type HeldRefusal = 'quota' | 'host';

/**
 * Makes what a VM holds of its project and its host what it is to hold. Null: done; otherwise who refused, and the caller's
 * transaction has to be rolled back. Each is one conditional statement, safe against races as takeQuota and reserve are: the
 * row is locked, and the condition looked at again, by the statement itself. What shrinks is never refused, however full
 * quota or host are. Locks project, host and VM in this order.
 */
export async function changeHeld(
  tx: Tx,
  vm: { readonly vmId: string; readonly projectId: string; readonly accelerator: Accelerator | null },
  from: Held,
  to: Held,
): Promise<HeldRefusal | null> {
  if (!(await changeQuota(tx, vm.projectId, heldDifference(from, to)))) return 'quota';
  if (!(await changeReservation(tx, vm.vmId, vm.accelerator, to))) return 'host';
  await tx.$executeRaw`
    UPDATE vms SET held_vcpu_count = ${to.vcpuCount}::int, held_memory_bytes = ${to.memoryBytes}::bigint
     WHERE id = ${vm.vmId}::uuid`;
  return null;
}

async function changeQuota(tx: Tx, projectId: string, by: HeldDifference): Promise<boolean> {
  const { vcpuCount, memoryBytes, diskBytes } = by;
  const growth = {
    vcpuCount: Math.max(0, vcpuCount),
    memoryBytes: Math.max(0, memoryBytes),
    diskBytes: Math.max(0, diskBytes),
  };
  if (!(await takeQuota(tx, projectId, { vmCount: 0, ...growth }))) return false;
  await tx.$executeRaw`
    UPDATE projects
       SET used_vcpu_count = used_vcpu_count + ${Math.min(0, vcpuCount)}::int,
           used_memory_bytes = used_memory_bytes + ${Math.min(0, memoryBytes)}::bigint,
           used_disk_bytes = used_disk_bytes + ${Math.min(0, diskBytes)}::bigint
     WHERE id = ${projectId}::uuid`;
  return true;
}

/** Counters of a host, and what of it a reservation has in a column of its own. */
const COUNTERS = [
  'vcpu_count',
  'memory_bytes',
  'disk_bytes',
  'dedicated_cpu_count',
  'huge_pages_2mib_bytes',
  'huge_pages_1gib_bytes',
] as const;

/** A host that is cordoned or silent takes no new VM, but what it has may grow there: it cannot grow anywhere else. */
async function changeReservation(tx: Tx, vmId: string, accelerator: Accelerator | null, to: Held): Promise<boolean> {
  const host = await findHostOfVm(tx, vmId);
  if (host === null) return false;
  const room = roomFor(to, accelerator, host.threadsPerCore);
  const values: readonly number[] = [
    ...[room.vcpuCount, room.memoryBytes, room.diskBytes],
    ...[room.dedicatedCpuCount, room.hugePages2MibBytes, room.hugePages1GibBytes],
  ];
  // Names of columns are the constants above; what comes from outside are values alone.
  const each = (
    write: (column: Prisma.Sql, value: Prisma.Sql, reserved: Prisma.Sql, capacity: Prisma.Sql) => Prisma.Sql,
  ) =>
    COUNTERS.map((name, index) =>
      write(
        Prisma.raw(name),
        Prisma.sql`${values[index]}::bigint`,
        Prisma.raw(`reserved_${name}`),
        Prisma.raw(`capacity_${name}`),
      ),
    );
  const grown = each((column, value, reserved) => Prisma.sql`${reserved} = h.${reserved} + ${value} - r.${column}`);
  const fits = each(
    (column, value, reserved, capacity) =>
      Prisma.sql`(${value} <= r.${column} OR h.${reserved} + ${value} - r.${column} <= h.${capacity})`,
  );
  const kept = each((column, value) => Prisma.sql`${column} = ${value}`);
  const count = await tx.$executeRaw`
    WITH host AS (
      UPDATE hosts h SET ${Prisma.join(grown)}
        FROM reservations r
       WHERE r.vm_id = ${vmId}::uuid AND r.purpose = 'run' AND h.id = r.host_id AND ${Prisma.join(fits, ' AND ')}
      RETURNING h.id)
    UPDATE reservations SET ${Prisma.join(kept)}
      FROM host WHERE reservations.vm_id = ${vmId}::uuid AND reservations.purpose = 'run'`;
  return count === 1;
}

export interface HostOfVm {
  readonly name: string;
  readonly threadsPerCore: number;
  readonly traits: readonly string[];
  readonly free: Amounts;
}

interface HostOfVmRow {
  readonly name: string;
  readonly threads: number;
  readonly traits: readonly string[] | null;
  readonly vcpus: number;
  readonly memory: bigint;
  readonly disk: bigint;
  readonly dedicated: number;
  readonly huge_2mib: bigint;
  readonly huge_1gib: bigint;
}

/** The host on which a VM holds room; null: it holds none. */
export async function findHostOfVm(tx: Tx, vmId: string): Promise<HostOfVm | null> {
  const [row] = await tx.$queryRaw<HostOfVmRow[]>`
    SELECT h.name, h.threads_per_core AS threads, h.traits,
           h.capacity_vcpu_count - h.reserved_vcpu_count AS vcpus,
           h.capacity_memory_bytes - h.reserved_memory_bytes AS memory,
           h.capacity_disk_bytes - h.reserved_disk_bytes AS disk,
           h.capacity_dedicated_cpu_count - h.reserved_dedicated_cpu_count AS dedicated,
           h.capacity_huge_pages_2mib_bytes - h.reserved_huge_pages_2mib_bytes AS huge_2mib,
           h.capacity_huge_pages_1gib_bytes - h.reserved_huge_pages_1gib_bytes AS huge_1gib
      FROM reservations r JOIN hosts h ON h.id = r.host_id
     WHERE r.vm_id = ${vmId}::uuid AND r.purpose = 'run'`;
  if (row === undefined) return null;
  const free = {
    vcpuCount: row.vcpus,
    memoryBytes: Number(row.memory),
    diskBytes: Number(row.disk),
    dedicatedCpuCount: row.dedicated,
    hugePages2MibBytes: Number(row.huge_2mib),
    hugePages1GibBytes: Number(row.huge_1gib),
  };
  return { name: row.name, threadsPerCore: row.threads, traits: row.traits ?? [], free };
}

/** What a VM is, and what waits. The caller's operation owns the VM. */
export async function writeShape(
  tx: Tx,
  vmId: string,
  { current, next }: { readonly current: VmShape; readonly next: VmShape | null },
): Promise<void> {
  const { vcpuCount, memoryBytes, balloon, hardware, cloudInit } = current;
  await tx.$executeRaw`
    UPDATE vms
       -- The old value: what it was started with, if nothing has been added to it before.
       SET boot_memory_bytes = coalesce(boot_memory_bytes, memory_bytes),
           vcpu_count = ${vcpuCount}::int, memory_bytes = ${memoryBytes}::bigint,
           balloon_minimum_bytes = ${balloon?.minimumBytes ?? null}::bigint,
           balloon_shares = coalesce(${balloon?.shares ?? null}::int, balloon_shares),
           hardware = ${JSON.stringify(hardware)}::jsonb,
           cloud_init = ${cloudInit === null ? null : JSON.stringify(cloudInit)}::jsonb,
           next_shape = ${next === null ? null : JSON.stringify(next)}::jsonb
     WHERE id = ${vmId}::uuid`;
}

export async function writeNextShape(tx: Tx, vmId: string, next: VmShape | null): Promise<void> {
  await tx.$executeRaw`
    UPDATE vms SET next_shape = ${next === null ? null : JSON.stringify(next)}::jsonb WHERE id = ${vmId}::uuid`;
}

export async function setBootMemory(tx: Tx, vmId: string, memoryBytes: number): Promise<void> {
  await tx.$executeRaw`UPDATE vms SET boot_memory_bytes = ${memoryBytes}::bigint WHERE id = ${vmId}::uuid`;
}

/** False: the project has another VM of that name. */
export async function writeName(
  tx: Tx,
  vmId: string,
  { name, labels }: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
): Promise<boolean> {
  // The index on names decides if two take one at once: the second one's transaction is then rolled back with 23505.
  const count = await tx.$executeRaw`
    UPDATE vms v SET name = ${name}, labels = ${JSON.stringify(labels)}::jsonb
     WHERE v.id = ${vmId}::uuid
       AND NOT EXISTS (SELECT FROM vms o WHERE o.project_id = v.project_id AND o.name = ${name} AND o.id <> v.id
                          AND o.deleted_at IS NULL)`;
  return count === 1;
}

/** A group that is gone by now is none. */
export async function writeGroup(tx: Tx, vmId: string, vmGroupId: string | null): Promise<void> {
  await tx.$executeRaw`
    UPDATE vms SET vm_group_id = (SELECT g.id FROM vm_groups g WHERE g.id = ${vmGroupId}::uuid)
     WHERE id = ${vmId}::uuid`;
}

export async function writeAvailability(tx: Tx, vmId: string, highAvailability: boolean): Promise<void> {
  await tx.$executeRaw`UPDATE vms SET is_highly_available = ${highAvailability} WHERE id = ${vmId}::uuid`;
}

/** Makes the volumes of a VM the given ones: new ones get a row, sizes follow, what is not named is deleted. */
export async function writeVolumes(
  tx: Tx,
  vm: { readonly vmId: string; readonly projectId: string; readonly hostId: string; readonly rootVolumeId: string },
  volumes: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = [...volumes].map(([id, bytes]) => ({ id, bytes, role: id === vm.rootVolumeId ? 'root' : 'data' }));
  await tx.$executeRaw`
    INSERT INTO volumes (id, project_id, vm_id, host_id, role, size_bytes)
    SELECT d.id, ${vm.projectId}::uuid, ${vm.vmId}::uuid, ${vm.hostId}::uuid, d.role, d.bytes
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS d (id uuid, role text, bytes bigint)
    ON CONFLICT (id) DO UPDATE SET size_bytes = excluded.size_bytes WHERE volumes.vm_id = excluded.vm_id`;
  await tx.$executeRaw`
    UPDATE volumes SET deleted_at = clock_timestamp()
     WHERE vm_id = ${vm.vmId}::uuid AND pool_id IS NULL AND deleted_at IS NULL AND id <> ALL (${[...volumes.keys()]}::uuid[])`;
}
