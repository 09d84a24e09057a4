import { isDeepStrictEqual } from 'node:util';
import { fieldEffectOf, type RunningMachine, type VmFieldChange } from '@kvorum/schema';
import { diffShapes, type ShapeChange } from './diff-shapes.js';
import type { VmShape } from './vm-shape.js';

export interface UpdateQuestion {
  /** What the VM is. */
  readonly current: VmShape;
  /** What it was to become before this update; the same as `current` if nothing waits. */
  readonly wantedBefore: VmShape;
  readonly wanted: VmShape;
  /** Null: nothing runs. */
  readonly machine: (RunningMachine & { readonly isPaused: boolean }) | null;
}

export interface UpdateAnswer {
  /** What this update changes, with what becomes of each. */
  readonly changes: readonly VmFieldChange[];
  /** All that waits for the next start afterwards. */
  readonly pending: readonly VmFieldChange[];
  /** What the VM is once the update is done. */
  readonly current: VmShape;
  /** What it becomes at its next start; null: nothing waits. */
  readonly next: VmShape | null;
}

/** These ask something of the guest: a paused one cannot answer. */
const ASKS_GUEST = new Set([
  'vcpuCount',
  'memoryBytes',
  'hardware.devices.dataDisks',
  'hardware.devices.nics',
  'hardware.devices.cdroms.imageId',
]);
const NOT_RUNNING = 'the VM does not run: in force when it is started';

interface Judged {
  readonly change: ShapeChange;
  readonly told: VmFieldChange;
}

/** Decides what an update does, by the table of effects. Pure. */
export function planUpdate({ current, wantedBefore, wanted, machine }: UpdateQuestion): UpdateAnswer {
  const old = diffShapes(current, wantedBefore);
  const judged = withBalloon(
    diffShapes(current, wanted).map((change) => ({ change, told: judge(change, machine) })),
    wanted,
  );
  const isNew = ({ field, to }: ShapeChange): boolean =>
    !old.some((other) => other.field === field && isDeepStrictEqual(other.to, to));
  const changes = judged.filter(({ change }) => isNew(change)).map(({ told }) => told);
  if (machine === null) return { changes, pending: [], current: wanted, next: null };
  return {
    changes,
    pending: judged.filter(waits).map(({ told }) => told),
    current: withoutWaiting(judged, wanted),
    next: judged.some(waits) ? wanted : null,
  };
}

const waits = ({ told }: Judged): boolean => told.effect !== 'live';

const withoutWaiting = (judged: readonly Judged[], wanted: VmShape): VmShape =>
  judged.filter(waits).reduce((shape, { change }) => change.revert(shape), wanted);

/** A balloon whose minimum is more than the memory the VM has until then waits with that memory. */
function withBalloon(judged: readonly Judged[], wanted: VmShape): readonly Judged[] {
  const { balloon, memoryBytes } = withoutWaiting(judged, wanted);
  if (balloon === null || balloon.minimumBytes <= memoryBytes) return judged;
  const reason = `until then it has ${memoryBytes} bytes of memory, less than the minimum of its balloon`;
  return judged.map(({ change, told }) => ({
    change,
    told: change.row === 'balloon' && told.effect === 'live' ? { ...told, effect: 'next-boot', reason } : told,
  }));
}

/** What waits for the next start of a VM, for whoever reads it. */
export const pendingChangesOf = (current: VmShape, next: VmShape | null): VmFieldChange[] =>
  next === null
    ? []
    : diffShapes(current, next).map(({ field, row, from, to }) => ({
        field,
        from,
        to,
        effect: 'next-boot',
        reason: fieldEffectOf(row).note,
      }));

function judge(change: ShapeChange, machine: UpdateQuestion['machine']): VmFieldChange {
  const { field, row, from, to } = change;
  const { effect, note, obstacle } = fieldEffectOf(row);
  const told = { field, from, to };
  if (effect === 'replace') return { ...told, effect, reason: note };
  if (machine === null) return { ...told, effect: 'next-boot', reason: NOT_RUNNING };
  if (effect === 'next-boot') return { ...told, effect, reason: note };
  const why =
    machine.isPaused && ASKS_GUEST.has(row)
      ? 'the guest is paused and cannot take part; resume it first to have it at once'
      : (obstacle?.(from, to, machine) ?? null);
  return why === null ? { ...told, effect, reason: note } : { ...told, effect: 'next-boot', reason: why };
}
