import type { GuestMemoryStats } from '@kvorum/hypervisor-driver';
import { MIB } from '@kvorum/schema';
import { HOLD_OFF_MS, marginBytesOf, SHORT_SHARE_OF_MARGIN, STATS_AGE_MS_MAX, stepBytesOf } from './balloon-policy.js';
import { amountBytesOf, type HostPressure, pressureLevelOf } from './host-pressure.js';
import { shareOut } from './share-out.js';
import { availableBytesOf, workingSetBytesOf } from './working-set.js';

/**
 * Decides, purely, how much memory each guest should have next. Between rounds nothing is remembered but each VM's last
 * move: what the balloons and the guests say now is the state, so that a restarted agent goes on where the last one was.
 */

export interface BalloonedVm {
  readonly vmId: string;
  readonly memoryBytes: number;
  /** Null: the policy leaves this VM alone. */
  readonly policy: { readonly minimumBytes: number; readonly shares: number } | null;
  /** The balloon's and the guest's answers. Null: the monitor did not answer. */
  readonly answer: {
    readonly actualBytes: number;
    /** Null: no balloon driver has ever spoken. */
    readonly stats: GuestMemoryStats | null;
    readonly statsAgeMs: number;
    readonly isMigrating: boolean;
  } | null;
  readonly isPaused: boolean;
  readonly lastMove: { readonly direction: 'take' | 'give'; readonly agoMs: number } | null;
}

/** Why a VM gets a target, or none. */
export type BalloonReason =
  | 'pressure'
  | 'no-pressure'
  | 'guest-short'
  | 'below-minimum'
  | 'disabled'
  | 'paused'
  | 'migrating'
  | 'no-driver'
  | 'not-answering'
  /** The guest's figures are older than the last move. */
  | 'settling'
  /** The balloon moved the other way a moment ago. */
  | 'hold-off'
  /** Nothing may be taken: working set or minimum is reached. */
  | 'at-floor'
  | 'at-full'
  /** Others give, or get back, first. */
  | 'not-its-turn'
  | 'between-marks';

export interface BalloonDecision {
  readonly vmId: string;
  /** Null: leave the balloon as it is. */
  readonly targetBytes: number | null;
  readonly reason: BalloonReason;
  readonly workingSetBytes: number | null;
}

/** Pressure null: it could not be read; then only guests that are short get memory. */
export function planBalloons(vms: readonly BalloonedVm[], pressure: HostPressure | null): BalloonDecision[] {
  const level = pressure === null ? 'medium' : pressureLevelOf(pressure);
  const judged = vms.map((vm) => judge(vm, level));
  const movable = judged.filter((verdict) => verdict.kind === 'may-move');
  const amountBytes = pressure === null ? 0 : amountBytesOf(pressure, level);
  const order = level === 'high' ? 'fewest shares first' : 'most shares first';
  const moved = shareOut(movable, amountBytes, order);
  return judged.map((verdict): BalloonDecision => {
    if (verdict.kind === 'decided') return verdict.decision;
    const { vmId, actualBytes, workingSetBytes } = verdict;
    const bytes = moved.get(verdict) ?? 0;
    if (bytes === 0) return { vmId, workingSetBytes, targetBytes: null, reason: 'not-its-turn' };
    return level === 'high'
      ? { vmId, workingSetBytes, targetBytes: actualBytes - bytes, reason: 'pressure' }
      : { vmId, workingSetBytes, targetBytes: actualBytes + bytes, reason: 'no-pressure' };
  });
}

interface MayMove {
  readonly kind: 'may-move';
  readonly vmId: string;
  readonly shares: number;
  readonly actualBytes: number;
  readonly workingSetBytes: number;
  /** At most this round. */
  readonly bytesMax: number;
}
type Verdict = MayMove | { readonly kind: 'decided'; readonly decision: BalloonDecision };

function judge(vm: BalloonedVm, level: 'high' | 'medium' | 'none'): Verdict {
  const { vmId, memoryBytes, policy, answer, lastMove } = vm;
  const decided = (reason: BalloonReason, targetBytes: number | null = null, workingSetBytes: number | null = null) =>
    ({ kind: 'decided', decision: { vmId, targetBytes, reason, workingSetBytes } }) as const;
  if (policy === null) return decided('disabled');
  if (vm.isPaused) return decided('paused');
  if (answer === null) return decided('not-answering');
  if (answer.stats === null) return decided('no-driver');
  const { actualBytes, stats } = answer;
  const workingSetBytes = workingSetBytesOf(actualBytes, stats);
  if (workingSetBytes === null || answer.statsAgeMs > STATS_AGE_MS_MAX) return decided('not-answering');
  const rest = (reason: BalloonReason) => decided(reason, null, workingSetBytes);
  if (answer.isMigrating) return rest('migrating');
  if (lastMove !== null && lastMove.agoMs <= answer.statsAgeMs) return rest('settling');

  const marginBytes = marginBytesOf(memoryBytes);
  const floorBytes = floorOf(memoryBytes, policy.minimumBytes, workingSetBytes + marginBytes);
  if (actualBytes < Math.min(policy.minimumBytes, memoryBytes)) {
    return decided('below-minimum', floorBytes, workingSetBytes);
  }
  const isShort = (availableBytesOf(stats) ?? 0) < marginBytes * SHORT_SHARE_OF_MARGIN;
  // Its margin and no more: what several short guests get together is bounded by nothing else.
  if (isShort && actualBytes < memoryBytes) return decided('guest-short', floorBytes, workingSetBytes);
  if (level === 'medium') return rest('between-marks');
  const roomBytes = level === 'high' ? wholeMib(actualBytes - floorBytes) : memoryBytes - actualBytes;
  if (roomBytes <= 0) return rest(level === 'high' ? 'at-floor' : 'at-full');
  const direction = level === 'high' ? 'take' : 'give';
  if (lastMove !== null && lastMove.direction !== direction && lastMove.agoMs < HOLD_OFF_MS) return rest('hold-off');
  const bytesMax = Math.min(stepBytesOf(memoryBytes), roomBytes);
  return { kind: 'may-move', vmId, shares: policy.shares, actualBytes, workingSetBytes, bytesMax };
}

const wholeMib = (bytes: number): number => Math.floor(bytes / MIB) * MIB;

const floorOf = (memoryBytes: number, minimumBytes: number, neededBytes: number): number =>
  Math.min(memoryBytes, Math.max(minimumBytes, Math.ceil(neededBytes / MIB) * MIB));
