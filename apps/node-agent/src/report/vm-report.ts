import { formatCpuList, type GuestInterface } from '@kvorum/hypervisor-driver';
import {
  BalloonStatus,
  ExitReason,
  GuestAgentState,
  PowerState,
  type VmReport,
  type GuestInterface as WireInterface,
} from '@kvorum/schema/agent-wire';
import type { BalloonObservation } from '../balloon/balloon-keeper.js';
import { toWireAccelerator } from '../host/host-wire.js';
import type { VmSnapshot } from '../vm/vm-snapshot.js';
import type { GuestObservation } from './guest-poller.js';

/** Of a driver's 4 KiB, so that a full report of a host with thousands of stopped VMs fits into one message. */
const EXIT_DETAIL_LENGTH_MAX = 512;

const CONDITION_DETAIL_LENGTH_MAX = 512;

const POWER = {
  running: PowerState.POWER_STATE_RUNNING,
  paused: PowerState.POWER_STATE_PAUSED,
  stopped: PowerState.POWER_STATE_STOPPED,
  unknown: PowerState.POWER_STATE_UNSPECIFIED,
} as const;
const EXIT_REASON = {
  'guest-shutdown': ExitReason.EXIT_REASON_GUEST_SHUTDOWN,
  requested: ExitReason.EXIT_REASON_REQUESTED,
  crash: ExitReason.EXIT_REASON_CRASH,
  'out-of-memory': ExitReason.EXIT_REASON_OUT_OF_MEMORY,
} as const;
const GUEST_AGENT = {
  unknown: GuestAgentState.GUEST_AGENT_STATE_UNSPECIFIED,
  absent: GuestAgentState.GUEST_AGENT_STATE_ABSENT,
  responding: GuestAgentState.GUEST_AGENT_STATE_RESPONDING,
} as const;

const BALLOON_STATUS = {
  active: BalloonStatus.BALLOON_STATUS_ACTIVE,
  'no-driver': BalloonStatus.BALLOON_STATUS_NO_DRIVER,
  'not-answering': BalloonStatus.BALLOON_STATUS_NOT_ANSWERING,
  disabled: BalloonStatus.BALLOON_STATUS_DISABLED,
} as const;

interface Observations {
  readonly guest: GuestObservation;
  readonly balloon: BalloonObservation;
  /** What the hypervisor was measured to take; null: not yet. */
  readonly overheadBytes: number | null;
}

function runsOnOf({ placement, promisedOverheadBytes }: VmSnapshot, overheadBytes: number | null): VmReport['runsOn'] {
  if (placement === null) return undefined;
  return {
    vcpuCpus: [...placement.vcpuCpus],
    otherCpus: formatCpuList(placement.otherCpus),
    memoryNodes: [...placement.memoryNodes],
    promisedOverheadBytes,
    measuredOverheadBytes: overheadBytes ?? 0,
  };
}
const toWireInterface = ({ name, macAddress, addresses }: GuestInterface): WireInterface => ({
  name,
  macAddress: macAddress ?? '',
  addresses: addresses.map((address) => ({ ...address })),
});

/** The first line says how it ended, the last ones why; what is too much lies between. */
function boundedDetail(detail: string): string {
  if (detail.length <= EXIT_DETAIL_LENGTH_MAX) return detail;
  const [head = ''] = detail.split('\n', 1);
  const kept = `${head.slice(0, EXIT_DETAIL_LENGTH_MAX / 2)}\n`;
  return kept + detail.slice(kept.length - EXIT_DETAIL_LENGTH_MAX);
}

/** What is true of a VM, in the words of the wire. */
export function toVmReport(
  snapshot: VmSnapshot,
  { guest, balloon, overheadBytes }: Observations,
  reportGeneration: number,
): VmReport {
  return {
    vmId: snapshot.vmId,
    epoch: snapshot.epoch,
    generation: snapshot.generation,
    power: POWER[snapshot.power],
    exitReason: snapshot.exit === null ? ExitReason.EXIT_REASON_UNSPECIFIED : EXIT_REASON[snapshot.exit.reason],
    exitDetail: boundedDetail(snapshot.exit?.detail ?? ''),
    guestAgent: GUEST_AGENT[guest.agent],
    guestAgentLastAnswerMs: guest.lastAnswerMs ?? 0,
    // The policy looks more often; it does not look at VMs that are not its own.
    balloonBytes: balloon.actualBytes ?? guest.balloonBytes ?? 0,
    balloonStatus: balloon.status === null ? BalloonStatus.BALLOON_STATUS_UNSPECIFIED : BALLOON_STATUS[balloon.status],
    workingSetBytes: balloon.workingSetBytes ?? 0,
    accelerator: toWireAccelerator(snapshot.accelerator),
    runsOn: runsOnOf(snapshot, overheadBytes),
    machineType: snapshot.machineType ?? '',
    pid: snapshot.pid ?? 0,
    reportGeneration,
    guestNetwork: guest.interfaces === null ? undefined : { interfaces: guest.interfaces.map(toWireInterface) },
    conditions: snapshot.conditions.map(({ kind, sinceMs, detail }) => ({
      kind,
      sinceMs,
      detail: detail.slice(0, CONDITION_DETAIL_LENGTH_MAX),
    })),
  };
}
