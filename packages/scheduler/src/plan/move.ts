import type { Fleet } from '../fleet/fleet.js';
import type { PlacedVm } from '../request/placement-request.js';

export interface Move {
  readonly vmId: string;
  readonly fromHostId: string;
  readonly toHostId: string;
  readonly how: 'live' | 'stopped';
  readonly reason: string;
  /** What has to be carried: memory of a running VM; its disk where the hosts have no storage pool of it in common. */
  readonly cost: { readonly memoryBytes: number; readonly diskBytes: number };
}

/** Moves of one step are done together: VMs that must not be on two hosts. Steps are done one after the other. */
export interface Step {
  readonly moves: readonly Move[];
}

export interface PlanCost {
  readonly moveCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export function moveOf(fleet: Fleet, vm: PlacedVm, to: number, reason: string): Move {
  const isRunning = vm.mobility !== 'stopped';
  const hasSharedDisk = (vm.request.storagePoolIds ?? []).length > 0;
  return {
    vmId: vm.vmId,
    fromHostId: vm.hostId,
    toHostId: fleet.hostIds[to] as string,
    how: isRunning ? 'live' : 'stopped',
    reason,
    cost: {
      memoryBytes: isRunning ? vm.request.memoryBytes : 0,
      diskBytes: hasSharedDisk ? 0 : vm.request.diskBytes,
    },
  };
}

export function costOf(steps: readonly Step[]): PlanCost {
  const moves = steps.flatMap((step) => step.moves);
  return {
    moveCount: moves.length,
    memoryBytes: moves.reduce((sum, { cost }) => sum + cost.memoryBytes, 0),
    diskBytes: moves.reduce((sum, { cost }) => sum + cost.diskBytes, 0),
  };
}
