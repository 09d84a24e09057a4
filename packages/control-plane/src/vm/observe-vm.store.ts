import type { GuestInterface, VmCondition, VmFact, VmRunsOn, VmState } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { ringEventSignal } from '../event/event.store.js';
import { REPORT_LEASE_MS } from '../host/host-report.store.js';

/** One row of the lifecycle table's column `fact`; named as in SQL. */
export interface FactMove {
  readonly fact: VmFact;
  readonly from_state: VmState;
  readonly to_state: VmState;
}

/** One VM of a report; named as in SQL. */
export interface ReportedVm {
  readonly vm_id: string;
  readonly epoch: number;
  readonly generation: number;
  readonly power: string;
  readonly fact: VmFact | null;
  readonly exit_detail: string;
  readonly guest_agent: string;
  readonly guest_agent_answered_at: string | null;
  readonly guest_interfaces: readonly GuestInterface[] | null;
  readonly balloon_bytes: number | null;
  readonly balloon_status: string | null;
  readonly working_set_bytes: number | null;
  readonly machine_type: string | null;
  readonly report_generation: number;
  readonly conditions: readonly VmCondition[];
  readonly runs_on: VmRunsOn | null;
}

/** The time of the guest agent's last answer moves all the time; it is written once it is this much newer. */
const ANSWER_STEP_SECONDS = 30;
/** A working set moves all the time, too; it is written once it has moved by this part of the VM's memory. */
const WORKING_SET_STEPS = 32;

/**
 * One statement per report. `news` picks the VMs of which the report says something new, without locking any, so that the
 * usual report, which says what the last one said, writes nothing. `locked` locks those in the order of their ids (two
 * transactions then never wait for each other) and reads them as they are once the lock is held; only what it returns is
 * judged. Every move of a state leaves its event, and so does every condition that comes or goes.
 */
export async function applyFacts(
  tx: Tx,
  hostId: string,
  vms: readonly ReportedVm[],
  moves: readonly FactMove[],
): Promise<void> {
  const changed = await tx.$executeRaw`
    WITH reported AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(vms)}::jsonb) AS r (
        vm_id uuid, epoch bigint, generation bigint, power text, fact text, exit_detail text, guest_agent text,
        guest_agent_answered_at timestamptz, balloon_bytes bigint, balloon_status text, working_set_bytes bigint,
        report_generation bigint, conditions jsonb, runs_on jsonb, guest_interfaces jsonb, machine_type text)),
    moves AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(moves)}::jsonb) AS m (fact text, from_state text, to_state text)),
    news AS MATERIALIZED (
      SELECT v.id
        FROM reported r
        JOIN vms v ON v.id = r.vm_id
       WHERE v.host_id = ${hostId}::uuid AND v.deleted_at IS NULL AND r.report_generation >= v.report_generation
         AND (v.observed_power IS DISTINCT FROM r.power OR v.observed_epoch <> r.epoch
              OR v.conditions <> r.conditions OR v.runs_on IS DISTINCT FROM r.runs_on OR v.guest_agent <> r.guest_agent OR v.balloon_bytes IS DISTINCT FROM r.balloon_bytes
              OR v.balloon_status IS DISTINCT FROM r.balloon_status OR r.machine_type <> coalesce(v.machine_type, '')
              OR v.guest_interfaces IS DISTINCT FROM nullif(r.guest_interfaces, 'null'::jsonb)
              OR (v.working_set_bytes IS NULL) <> (r.working_set_bytes IS NULL)
              OR abs(v.working_set_bytes - r.working_set_bytes) * ${WORKING_SET_STEPS}::int > v.memory_bytes
              OR coalesce(r.guest_agent_answered_at > v.guest_agent_answered_at
                            + ${ANSWER_STEP_SECONDS}::int * interval '1 second',
                          r.guest_agent_answered_at IS NOT NULL AND v.guest_agent_answered_at IS NULL)
              OR EXISTS (SELECT FROM moves m WHERE m.fact = r.fact AND m.from_state = v.state
                            AND r.epoch = v.epoch AND r.generation >= v.settled_generation))),
    locked AS MATERIALIZED (
      SELECT id, state, epoch, settled_generation, report_generation, conditions
        FROM vms WHERE id IN (SELECT id FROM news) AND host_id = ${hostId}::uuid AND deleted_at IS NULL
       ORDER BY id FOR NO KEY UPDATE),
    judged AS MATERIALIZED (
      SELECT r.*, l.state AS old_state, m.to_state AS new_state,
             jsonb_path_query_array(l.conditions, '$[*].kind') AS old_kinds,
             jsonb_path_query_array(r.conditions, '$[*].kind') AS new_kinds
        FROM locked l
        JOIN reported r ON r.vm_id = l.id
        LEFT JOIN moves m ON m.fact = r.fact AND m.from_state = l.state
                         AND r.epoch = l.epoch AND r.generation >= l.settled_generation
       WHERE r.report_generation >= l.report_generation),
    written AS (
      UPDATE vms v
         SET observed_power = j.power, observed_epoch = j.epoch, observed_at = clock_timestamp(),
             report_generation = j.report_generation, guest_agent = j.guest_agent, machine_type = coalesce(j.machine_type, v.machine_type),
             guest_agent_answered_at = coalesce(j.guest_agent_answered_at, v.guest_agent_answered_at),
             balloon_bytes = j.balloon_bytes, balloon_status = j.balloon_status,
             working_set_bytes = j.working_set_bytes, conditions = j.conditions,
             guest_interfaces = nullif(j.guest_interfaces, 'null'::jsonb), runs_on = j.runs_on,
             state = coalesce(j.new_state, v.state),
             failure = CASE WHEN j.new_state IS NULL THEN v.failure
                            WHEN j.fact = 'crashed' THEN jsonb_build_object('code', 'guest_fault',
                              'message', 'the process of the VM ended: ' || coalesce(nullif(j.exit_detail, ''), 'no reason known'),
                              'details', '{}'::jsonb)
                            ELSE NULL END,
             updated_at = CASE WHEN j.new_state IS NULL THEN v.updated_at ELSE clock_timestamp() END
        FROM judged j WHERE v.id = j.vm_id
      RETURNING v.id, v.project_id, j.old_state, j.new_state, j.fact, j.old_kinds, j.new_kinds, j.conditions)
    INSERT INTO events (type, project_id, resource_kind, resource_id, data)
    SELECT 'vm.state', project_id, 'vm', id,
           jsonb_build_object('from', old_state, 'to', new_state, 'fact', fact)
      FROM written WHERE new_state IS NOT NULL
    UNION ALL
    SELECT 'vm.condition', project_id, 'vm', id,
           jsonb_build_object('from', old_kinds, 'to', new_kinds, 'conditions', conditions)
      FROM written WHERE old_kinds <> new_kinds`;
  if (changed > 0) await ringEventSignal(tx);
}

/**
 * VMs of the host that a full report does not name. A VM whose state was settled within the last lease is left alone: the
 * report may have been on its way since before the VM was made, and the next one tells.
 */
export async function applyMissing(
  tx: Tx,
  hostId: string,
  presentVmIds: readonly string[],
  moves: readonly FactMove[],
): Promise<void> {
  const changed = await tx.$executeRaw`
    WITH moves AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(moves)}::jsonb) AS m (
        fact text, from_state text, to_state text)),
    locked AS MATERIALIZED (
      SELECT v.id, v.project_id, v.state AS old_state, m.to_state AS new_state
        FROM vms v JOIN moves m ON m.from_state = v.state
       WHERE v.host_id = ${hostId}::uuid AND v.deleted_at IS NULL
         AND NOT v.id = ANY (${[...presentVmIds]}::uuid[])
         AND v.updated_at < clock_timestamp() - ${REPORT_LEASE_MS}::int * interval '1 millisecond'
       ORDER BY v.id FOR NO KEY UPDATE OF v),
    written AS (
      UPDATE vms v
         SET state = l.new_state, observed_power = 'stopped', conditions = '[]', runs_on = NULL, observed_at = clock_timestamp(),
             updated_at = clock_timestamp(),
             failure = jsonb_build_object('code', 'host_fault', 'message', 'the host does not know the VM any more',
                                          'details', '{}'::jsonb)
        FROM locked l WHERE v.id = l.id
      RETURNING v.id, l.project_id, l.old_state, l.new_state)
    INSERT INTO events (type, project_id, resource_kind, resource_id, data)
    SELECT 'vm.state', project_id, 'vm', id,
           jsonb_build_object('from', old_state, 'to', new_state, 'fact', 'missing')
      FROM written`;
  if (changed > 0) await ringEventSignal(tx);
}

/**
 * VMs on hosts that are unreachable. Goes by what is true, not by the moment of the loss: a VM whose operation settles
 * after its host fell silent is found by the next run.
 */
export async function applyHostLost(tx: Tx, moves: readonly FactMove[]): Promise<number> {
  const changed = await tx.$executeRaw`
    WITH moves AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(moves)}::jsonb) AS m (
        fact text, from_state text, to_state text)),
    locked AS MATERIALIZED (
      SELECT v.id, v.project_id, v.state AS old_state, m.to_state AS new_state
        FROM hosts h
        JOIN vms v ON v.host_id = h.id AND v.deleted_at IS NULL
        JOIN moves m ON m.from_state = v.state
       WHERE h.connectivity = 'unreachable'
       ORDER BY v.id FOR NO KEY UPDATE OF v),
    written AS (
      UPDATE vms v SET state = l.new_state, updated_at = clock_timestamp()
        FROM locked l WHERE v.id = l.id
      RETURNING v.id, l.project_id, l.old_state, l.new_state)
    INSERT INTO events (type, project_id, resource_kind, resource_id, data)
    SELECT 'vm.state', project_id, 'vm', id,
           jsonb_build_object('from', old_state, 'to', new_state, 'fact', 'hostLost')
      FROM written`;
  if (changed > 0) await ringEventSignal(tx);
  return changed;
}
