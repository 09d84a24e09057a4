import {
  type Accelerator,
  type BalloonStatus,
  GUEST_INTERFACE_COUNT_MAX,
  GuestInterface,
  type VmCondition,
  VmConditionKind,
  type VmRunsOn,
} from '@kvorum/schema';
import {
  ExitReason,
  GuestAgentState,
  type GuestNetwork,
  PowerState,
  type RunsOn,
  type VmReport,
  Accelerator as WireAccelerator,
  BalloonStatus as WireBalloonStatus,
  type VmCondition as WireCondition,
} from '@kvorum/schema/agent-wire';
import type { ObservedVm } from './agent-port.js';

/** Between the wire's enums and ours. What an agent sends is not trusted: numbers we do not know become the careful value. */
export function acceleratorOf(wire: WireAccelerator): Accelerator | null {
  if (wire === WireAccelerator.ACCELERATOR_KVM) return 'kvm';
  if (wire === WireAccelerator.ACCELERATOR_TCG) return 'tcg';
  return null;
}

export const toWireAccelerator = (accelerator: Accelerator): WireAccelerator =>
  accelerator === 'kvm' ? WireAccelerator.ACCELERATOR_KVM : WireAccelerator.ACCELERATOR_TCG;

const powerOf = (wire: PowerState): ObservedVm['power'] => {
  if (wire === PowerState.POWER_STATE_RUNNING) return 'running';
  if (wire === PowerState.POWER_STATE_PAUSED) return 'paused';
  return wire === PowerState.POWER_STATE_STOPPED ? 'stopped' : 'unknown';
};

const exitReasonOf = (wire: ExitReason): ObservedVm['exitReason'] => {
  if (wire === ExitReason.EXIT_REASON_GUEST_SHUTDOWN) return 'guest-shutdown';
  if (wire === ExitReason.EXIT_REASON_REQUESTED) return 'requested';
  if (wire === ExitReason.EXIT_REASON_CRASH) return 'crash';
  if (wire === ExitReason.EXIT_REASON_OUT_OF_MEMORY) return 'out-of-memory';
  return null;
};

const guestAgentOf = (wire: GuestAgentState): ObservedVm['guestAgent'] => {
  if (wire === GuestAgentState.GUEST_AGENT_STATE_RESPONDING) return 'responding';
  if (wire === GuestAgentState.GUEST_AGENT_STATE_ABSENT) return 'absent';
  return 'unknown';
};

const BALLOON_STATUS: Readonly<Partial<Record<WireBalloonStatus, BalloonStatus>>> = {
  [WireBalloonStatus.BALLOON_STATUS_ACTIVE]: 'active',
  [WireBalloonStatus.BALLOON_STATUS_NO_DRIVER]: 'no-driver',
  [WireBalloonStatus.BALLOON_STATUS_NOT_ANSWERING]: 'not-answering',
  [WireBalloonStatus.BALLOON_STATUS_DISABLED]: 'disabled',
};

/** ECMA-262 section 21.4.1.1: no Date lies beyond this many ms. */
const DATE_MS_MAX = 8.64e15;

const dateOf = (ms: number): Date | null => (ms > 0 && ms <= DATE_MS_MAX ? new Date(ms) : null);

const runsOnOf = (wire: RunsOn): VmRunsOn => ({
  vcpuCpus: wire.vcpuCpus,
  otherCpus: wire.otherCpus,
  memoryNodes: wire.memoryNodes,
  memoryOverhead: { promisedBytes: wire.promisedOverheadBytes, measuredBytes: wire.measuredOverheadBytes || null },
});

/** Of kinds we do not know nothing can be said. */
function conditionOf({ kind, sinceMs, detail }: WireCondition): VmCondition[] {
  const known = VmConditionKind.safeParse(kind);
  const since = dateOf(sinceMs);
  return known.success && since !== null ? [{ kind: known.data, since: since.toISOString(), detail }] : [];
}

/** What does not have the shape was not said by an agent that checks its guests. */
function guestInterfacesOf(network: GuestNetwork | undefined): GuestInterface[] | null {
  if (network === undefined) return null;
  return network.interfaces.slice(0, GUEST_INTERFACE_COUNT_MAX).flatMap((entry) => {
    const read = GuestInterface.safeParse({ ...entry, macAddress: entry.macAddress === '' ? null : entry.macAddress });
    return read.success ? [read.data] : [];
  });
}

export const observedVmOf = (report: VmReport): ObservedVm => ({
  vmId: report.vmId,
  epoch: report.epoch,
  generation: report.generation,
  power: powerOf(report.power),
  exitReason: exitReasonOf(report.exitReason),
  exitDetail: report.exitDetail,
  guestAgent: guestAgentOf(report.guestAgent),
  guestAgentAnsweredAt: dateOf(report.guestAgentLastAnswerMs),
  guestInterfaces: guestInterfacesOf(report.guestNetwork),
  balloonBytes: report.balloonBytes > 0 ? report.balloonBytes : null,
  balloonStatus: BALLOON_STATUS[report.balloonStatus] ?? null,
  workingSetBytes: report.workingSetBytes > 0 ? report.workingSetBytes : null,
  accelerator: acceleratorOf(report.accelerator),
  machineType: report.machineType || null,
  reportGeneration: report.reportGeneration,
  conditions: report.conditions.flatMap(conditionOf),
  runsOn: report.runsOn === undefined ? null : runsOnOf(report.runsOn),
});
