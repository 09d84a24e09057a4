import {
  type Accelerator,
  type BalloonPolicy,
  type StoredError,
  statesAccepting,
  VmHardware,
  type VmRequest,
  type VmState,
} from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { CloudInitRecord } from './cloud-init.js';
import { VmShape } from './vm-shape.js';

/** What an operation on a VM needs to know of it, read when the intent is recorded. */
export interface VmForIntent {
  readonly vmId: string;
  readonly projectId: string;
  readonly name: string;
  readonly state: VmState;
  readonly generation: number;
  readonly epoch: number;
  readonly hostId: string | null;
  readonly vmGroupId: string | null;
  readonly highAvailability: boolean;
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly hardware: VmHardware;
  readonly cloudInit: CloudInitRecord | null;
  readonly balloon: BalloonPolicy | null;
  readonly accelerator: Accelerator | null;
  /** Null: not started yet. */
  readonly machineType: string | null;
  readonly flavorId: string;
  readonly imageId: string;
  /** The template that it is a fork of. */
  readonly templateId: string | null;
  readonly rootVolumeId: string | null;
  readonly rootDiskBytes: number;
  /** What it becomes at its next start; null: what it is. */
  readonly nextShape: VmShape | null;
  /** Memory that its running machine was started with. */
  readonly bootMemoryBytes: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly operationId: string | null;
  /** False: its creation failed and everything was given back. */
  readonly holdsResources: boolean;
  readonly isDeleted: boolean;
}

interface Row {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly state: VmState;
  readonly generation: bigint;
  readonly epoch: bigint;
  readonly host_id: string | null;
  readonly vm_group_id: string | null;
  readonly is_highly_available: boolean;
  readonly vcpu_count: number;
  readonly memory_bytes: bigint;
  readonly hardware: unknown;
  readonly cloud_init: unknown;
  readonly balloon_minimum_bytes: bigint | null;
  readonly balloon_shares: number;
  readonly accelerator: Accelerator | null;
  readonly machine_type: string | null;
  readonly flavor_id: string;
  readonly image_id: string;
  readonly template_id: string | null;
  readonly root_volume_id: string | null;
  readonly root_disk_bytes: bigint | null;
  readonly next_shape: unknown;
  readonly boot_memory_bytes: bigint | null;
  readonly labels: Record<string, string>;
  readonly operation_id: string | null;
  readonly holds_resources: boolean;
  readonly is_deleted: boolean;
}

const intentOf = (row: Row): VmForIntent => ({
  vmId: row.id,
  projectId: row.project_id,
  name: row.name,
  state: row.state,
  generation: Number(row.generation),
  epoch: Number(row.epoch),
  hostId: row.host_id,
  vmGroupId: row.vm_group_id,
  highAvailability: row.is_highly_available,
  vcpuCount: row.vcpu_count,
  memoryBytes: Number(row.memory_bytes),
  hardware: VmHardware.parse(row.hardware),
  cloudInit: CloudInitRecord.nullable().parse(row.cloud_init),
  balloon:
    row.balloon_minimum_bytes === null
      ? null
      : { minimumBytes: Number(row.balloon_minimum_bytes), shares: row.balloon_shares },
  accelerator: row.accelerator,
  machineType: row.machine_type,
  flavorId: row.flavor_id,
  imageId: row.image_id,
  templateId: row.template_id,
  rootVolumeId: row.root_volume_id,
  rootDiskBytes: Number(row.root_disk_bytes ?? 0),
  nextShape: row.next_shape === null ? null : VmShape.parse(row.next_shape),
  bootMemoryBytes: Number(row.boot_memory_bytes ?? row.memory_bytes),
  labels: row.labels,
  operationId: row.operation_id,
  holdsResources: row.holds_resources,
  isDeleted: row.is_deleted,
});

/** The VM, deleted ones too. */
export async function findVmForIntent(database: Database | Tx, id: string): Promise<VmForIntent | null> {
  const [row] = await database.$queryRaw<Row[]>`
    SELECT v.id, v.project_id, v.name, v.state, v.generation, v.epoch, v.host_id, v.vm_group_id, v.is_highly_available, v.vcpu_count, v.memory_bytes,
           v.hardware, v.cloud_init, v.balloon_minimum_bytes, v.balloon_shares, v.accelerator, v.machine_type, v.operation_id,
           v.next_shape, v.boot_memory_bytes, v.labels, v.flavor_id, v.image_id, v.template_id, v.deleted_at IS NOT NULL AS is_deleted,
           (SELECT d.size_bytes FROM volumes d WHERE d.vm_id = v.id AND d.role = 'root' ORDER BY d.id LIMIT 1)
             AS root_disk_bytes,
           (SELECT d.id FROM volumes d WHERE d.vm_id = v.id AND d.role = 'root' ORDER BY d.id LIMIT 1) AS root_volume_id,
           EXISTS (SELECT FROM reservations r WHERE r.vm_id = v.id) AS holds_resources
      FROM vms v WHERE v.id = ${id}::uuid`;
  return row === undefined ? null : intentOf(row);
}

/**
 * Records an intent on a VM: the new state, one generation more and the operation that owns it. Guarded by the lifecycle
 * table and by the generation the decision was made on: of two requests that race, one finds no row and is judged anew.
 */
export async function recordIntent(
  tx: Tx,
  vm: VmForIntent,
  intent: { request: VmRequest; state: VmState; epoch: number; operationId: string },
): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE vms
       SET state = ${intent.state}, generation = generation + 1, epoch = ${intent.epoch}::bigint,
           operation_id = ${intent.operationId}::uuid, updated_at = clock_timestamp()
     WHERE id = ${vm.vmId}::uuid AND generation = ${vm.generation}::bigint AND state = ${vm.state}
       AND state = ANY (${statesAccepting(intent.request)}::text[]) AND deleted_at IS NULL`;
  return count === 1;
}

export interface Settlement {
  readonly vmId: string;
  /** Of the intent that ends: if it is not the VM's any more, a newer one has taken over and nothing is written. */
  readonly generation: number;
  readonly state: VmState;
  readonly failure: StoredError | null;
  /** Is it known what the intent has done? Only then are reports about earlier intents old news. */
  readonly isOutcomeKnown: boolean;
  /** What the agent said when it had done it; reports that were on their way before are older. */
  readonly reportGeneration: number | null;
}

/** Ends an intent. Null: a newer one has taken over. Otherwise the state the VM was in. */
export async function settleVm(tx: Tx, end: Settlement): Promise<{ from: VmState; projectId: string } | null> {
  const [row] = await tx.$queryRaw<{ old_state: VmState; project_id: string }[]>`
    WITH before AS (
      SELECT id, state FROM vms WHERE id = ${end.vmId}::uuid AND generation = ${end.generation}::bigint
         FOR NO KEY UPDATE)
    UPDATE vms
       SET state = ${end.state},
           failure = ${end.failure === null ? null : JSON.stringify(end.failure)}::jsonb,
           settled_generation = CASE WHEN ${end.isOutcomeKnown} THEN vms.generation ELSE vms.settled_generation END,
           report_generation = greatest(vms.report_generation, ${end.reportGeneration ?? 0}::bigint),
           updated_at = clock_timestamp()
      FROM before WHERE vms.id = before.id
    RETURNING before.state AS old_state, vms.project_id`;
  return row === undefined ? null : { from: row.old_state, projectId: row.project_id };
}

/** An epoch that was never sent to a host may be used again: the guest of the one before it goes on running. */
export async function returnEpoch(tx: Tx, vmId: string, generation: number, epoch: number): Promise<void> {
  await tx.$executeRaw`
    UPDATE vms SET epoch = epoch - 1
     WHERE id = ${vmId}::uuid AND generation = ${generation}::bigint AND epoch = ${epoch}::bigint`;
}

/** Has a step of the operation begun, so that a host may have heard of it? */
export async function hasStepBegun(tx: Tx, operationId: string, stepName: string): Promise<boolean> {
  const step = await tx.operationStep.findFirst({
    where: { operationId, name: stepName, state: { not: 'pending' } },
    select: { index: true },
  });
  return step !== null;
}

export async function markVolumesDeleted(tx: Tx, vmId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE volumes SET deleted_at = clock_timestamp()
     WHERE vm_id = ${vmId}::uuid AND pool_id IS NULL AND deleted_at IS NULL`;
}

/** It leaves its group. Its ports go with it: after it, so that one made for it until now is seen. */
export async function markVmDeleted(tx: Tx, vmId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE vms SET deleted_at = clock_timestamp(), vm_group_id = NULL
     WHERE id = ${vmId}::uuid AND deleted_at IS NULL`;
  await tx.$executeRaw`DELETE FROM ports WHERE vm_id = ${vmId}::uuid`;
}

/** What a VM takes from its project besides itself: of what it is and what it becomes, the larger (vm-shape.ts). */
export async function findVmUsage(
  tx: Tx,
  vmId: string,
): Promise<{ vcpuCount: number; memoryBytes: number; diskBytes: number }> {
  const [row] = await tx.$queryRaw<{ vcpu_count: number; memory_bytes: bigint; disk_bytes: bigint }[]>`
    SELECT coalesce(v.held_vcpu_count, v.vcpu_count) AS vcpu_count,
           coalesce(v.held_memory_bytes, v.memory_bytes) AS memory_bytes,
           coalesce((SELECT sum(d.size_bytes) FROM volumes d WHERE d.vm_id = v.id AND d.pool_id IS NULL
               AND d.deleted_at IS NULL), 0)::bigint AS disk_bytes
      FROM vms v WHERE v.id = ${vmId}::uuid`;
  if (row === undefined) throw new TypeError(`VM ${vmId} of an operation has a row`);
  return {
    vcpuCount: row.vcpu_count,
    memoryBytes: Number(row.memory_bytes),
    diskBytes: Number(row.disk_bytes),
  };
}
