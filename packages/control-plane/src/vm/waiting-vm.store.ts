import type { CreateVmRequest, OperationId, ProjectId, VmId, WaitingVm } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { progressOf } from '../operations/progress.js';

/** A VM that waits for room, with what placing it needs. */
export interface Wait {
  readonly operationId: OperationId;
  readonly vmId: VmId;
  readonly projectId: ProjectId;
  readonly vmName: string;
  readonly requestedBy: string;
  readonly request: CreateVmRequest;
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly reason: string;
}

interface NewWait {
  readonly operationId: string;
  readonly vmId: string;
  readonly projectId: string;
  readonly request: CreateVmRequest;
  readonly priority: number;
  readonly until: Date;
  readonly reason: string;
}

/** More than this is a site that needs hosts, not a longer queue; a pass over all of them is some hundred milliseconds. */
const WAITING_VMS_MAX = 1000;

/**
 * Puts a VM into the queue, and its operation to sleep: nobody works on it before it is placed or cancelled, but for the
 * case that nobody looks after the queue; then a worker ends it after its deadline. False: the queue is full.
 */
export async function insertWait(tx: Tx, wait: NewWait): Promise<boolean> {
  // One after the other, so that the bound holds. Held for the few ms until the commit.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('kvorum waiting VMs'))`;
  const count = await tx.$executeRaw`
    INSERT INTO waiting_vms (operation_id, vm_id, project_id, request, priority, until, reason)
    SELECT ${wait.operationId}::uuid, ${wait.vmId}::uuid, ${wait.projectId}::uuid, ${JSON.stringify(wait.request)}::jsonb,
           ${wait.priority}::int, ${wait.until}, ${wait.reason}
     WHERE (SELECT count(*) FROM waiting_vms) < ${WAITING_VMS_MAX}::int`;
  await tx.$executeRaw`
    UPDATE operations SET deadline_at = ${wait.until}, not_before = ${wait.until}::timestamptz + interval '1 minute',
           progress = ${waitingProgress(wait.reason)}::jsonb
     WHERE id = ${wait.operationId}::uuid`;
  return count === 1;
}

/** Those that may still wait, first who comes first. */
export async function findWaits(database: Database): Promise<Wait[]> {
  const rows = await database.$queryRaw<
    (Omit<Wait, 'memoryBytes' | 'diskBytes'> & Record<'memoryBytes' | 'diskBytes', bigint>)[]
  >`
    SELECT w.operation_id AS "operationId", w.vm_id AS "vmId", w.project_id AS "projectId", v.name AS "vmName",
           o.created_by AS "requestedBy", w.request, v.vcpu_count AS "vcpuCount", v.memory_bytes AS "memoryBytes",
           (SELECT sum(d.size_bytes)::bigint FROM volumes d WHERE d.vm_id = v.id AND d.deleted_at IS NULL) AS "diskBytes",
           w.reason
      FROM waiting_vms w JOIN vms v ON v.id = w.vm_id
           JOIN operations o ON o.id = w.operation_id
     WHERE w.until > clock_timestamp() AND o.state = 'queued' AND o.cancel_requested_at IS NULL
     ORDER BY w.priority DESC, w.operation_id`;
  return rows.map((row) => ({ ...row, memoryBytes: Number(row.memoryBytes), diskBytes: Number(row.diskBytes) }));
}

interface EndedWait {
  readonly operationId: string;
  readonly reason: string;
}

/**
 * Takes those out of the queue whose time is over, and locks their operations. Those that a worker has, because they were
 * cancelled, are left to it.
 */
export const takeOverdueWaits = (tx: Tx): Promise<EndedWait[]> =>
  tx.$queryRaw<EndedWait[]>`
    WITH overdue AS (
      SELECT o.id FROM operations o JOIN waiting_vms w ON w.operation_id = o.id
       WHERE w.until <= clock_timestamp() AND o.state = 'queued' AND o.cancel_requested_at IS NULL
       ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED)
    DELETE FROM waiting_vms w USING overdue WHERE w.operation_id = overdue.id
    RETURNING w.operation_id AS "operationId", w.reason`;

/**
 * Takes a VM out of the queue to place it, and wakes its operation with a complete input and the clock of an ordinary
 * create. False: it was placed by somebody else, was cancelled, or its time is over. Locks the operation.
 */
export async function takeWait(
  tx: Tx,
  operationId: string,
  placed: { hostId: string; accelerator: string },
): Promise<boolean> {
  // The operation first and its row in the queue second, as whoever ends a wait does.
  const waiting = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM operations
     WHERE id = ${operationId}::uuid AND state = 'queued' AND cancel_requested_at IS NULL FOR NO KEY UPDATE`;
  if (waiting.length === 0 || (await forgetWait(tx, operationId)) === 0) return false;
  await tx.$executeRaw`
    UPDATE operations
       SET input = input || ${JSON.stringify(placed)}::jsonb, not_before = clock_timestamp(), progress = NULL,
           deadline_at = clock_timestamp() + deadline_ms * interval '1 millisecond'
     WHERE id = ${operationId}::uuid`;
  return true;
}

export const forgetWait = (tx: Tx, operationId: string): Promise<number> =>
  tx.$executeRaw`DELETE FROM waiting_vms WHERE operation_id = ${operationId}::uuid`;

export async function bindVmToHost(
  tx: Tx,
  vmId: string,
  { hostId, accelerator }: { hostId: string; accelerator: string },
): Promise<void> {
  await tx.$executeRaw`
    WITH vm AS (
      UPDATE vms SET host_id = ${hostId}::uuid, accelerator = ${accelerator}, updated_at = clock_timestamp()
       WHERE id = ${vmId}::uuid RETURNING id)
    UPDATE volumes SET host_id = ${hostId}::uuid FROM vm WHERE volumes.vm_id = vm.id`;
}

/** What it waits for now, when that is something else than before. */
export async function noteWaitReason(database: Database, operationId: string, reason: string): Promise<void> {
  await database.$executeRaw`
    WITH noted AS (
      UPDATE waiting_vms SET reason = ${reason} WHERE operation_id = ${operationId}::uuid RETURNING operation_id)
    UPDATE operations SET progress = ${waitingProgress(reason)}::jsonb
      FROM noted WHERE id = noted.operation_id AND state = 'queued'`;
}

const waitingProgress = (reason: string): string => JSON.stringify(progressOf(`waits for capacity: ${reason}`));

/** The queue, with places counted over all projects. `projectId` null: of all. */
export async function listWaits(database: Database, projectId: string | null): Promise<WaitingVm[]> {
  const rows = await database.$queryRaw<(Omit<WaitingVm, 'until' | 'createdAt'> & { until: Date; createdAt: Date })[]>`
    SELECT * FROM (
      SELECT (row_number() OVER (ORDER BY w.priority DESC, w.operation_id))::int AS position,
             w.operation_id AS "operationId", w.vm_id AS "vmId", v.name AS "vmName", w.project_id AS "projectId",
             w.priority, w.reason, w.until, w.created_at AS "createdAt"
        FROM waiting_vms w JOIN vms v ON v.id = w.vm_id) q
     WHERE ${projectId}::uuid IS NULL OR "projectId" = ${projectId}::uuid
     ORDER BY position`;
  return rows.map((row) => ({ ...row, until: row.until.toISOString(), createdAt: row.createdAt.toISOString() }));
}
