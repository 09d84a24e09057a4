import { transitionsOnFact, VM_FACTS, type VmFact } from '@kvorum/schema';
import type { ObservedVm } from '../agents/agent-port.js';
import type { Tx } from '../database/database.js';
import { applyFacts, applyMissing, type FactMove, type ReportedVm } from './observe-vm.store.js';

/** The lifecycle table's column `fact`, as rows that SQL can join. */
const MOVES: readonly FactMove[] = VM_FACTS.flatMap((fact) =>
  transitionsOnFact(fact).map(({ from, to }) => ({ fact, from_state: from, to_state: to })),
);

/**
 * What a report means for the lifecycle. Null: nothing yet. A process that is gone for a reason not known (yet) is no fact,
 * for between crashed and shut down there is no way back: the agent tells the reason with its next report.
 */
export function factOf(vm: Pick<ObservedVm, 'power' | 'exitReason'>): VmFact | null {
  if (vm.power === 'unknown') return null;
  if (vm.power !== 'stopped') return vm.power;
  if (vm.exitReason === null) return null;
  return vm.exitReason === 'crash' || vm.exitReason === 'out-of-memory' ? 'crashed' : 'gone';
}

/**
 * Takes in what a host reports of its VMs. The report's own columns are always written if it is not older than the last;
 * `state` changes only where the lifecycle table says so, and only by a report about the present run (epoch) that knows the
 * last settled intent (generation): a report that was under way while an operation worked is old news.
 */
export async function observeVms(tx: Tx, hostId: string, vms: readonly ObservedVm[]): Promise<void> {
  if (vms.length > 0) await applyFacts(tx, hostId, vms.map(reportedVmOf), MOVES);
}

const reportedVmOf = (vm: ObservedVm): ReportedVm => ({
  vm_id: vm.vmId,
  epoch: vm.epoch,
  generation: vm.generation,
  power: vm.power,
  fact: factOf(vm),
  exit_detail: vm.exitReason === 'out-of-memory' ? `out of memory: ${vm.exitDetail}` : vm.exitDetail,
  guest_agent: vm.guestAgent,
  guest_agent_answered_at: vm.guestAgentAnsweredAt?.toISOString() ?? null,
  guest_interfaces: vm.guestInterfaces,
  balloon_bytes: vm.balloonBytes,
  balloon_status: vm.balloonStatus,
  working_set_bytes: vm.workingSetBytes,
  machine_type: vm.machineType,
  report_generation: vm.reportGeneration,
  conditions: vm.conditions,
  runs_on: vm.runsOn,
});

/** A full report that lacks a VM says that the host knows nothing of it: whatever ran there has ended. */
export const observeMissingVms = (tx: Tx, hostId: string, vms: readonly ObservedVm[]): Promise<void> =>
  applyMissing(
    tx,
    hostId,
    vms.map((vm) => vm.vmId),
    MOVES.filter((move) => move.fact === 'crashed'),
  );

/** The host has fallen silent: what runs there is not known any more. */
export const HOST_LOST_MOVES: readonly FactMove[] = MOVES.filter((move) => move.fact === 'hostLost');
