import { isDeepStrictEqual } from 'node:util';
import { assertNever } from '../assert-never.js';
import { compareFences, type Fence, machineOf, type Offer, type VmRecord, type VmSpec } from './vm-record.js';

/**
 * What an actor does is decided here, purely. `admit` says whether an intent is taken and what is remembered of it;
 * `nextAction` says what is to be done, one action at a time, to bring the process to what is remembered. After a crash
 * at any point the same questions are asked again of what is on the disk and of what runs, and lead to the same end.
 */

export interface Intent extends Fence {
  readonly vmId: VmRecord['vmId'];
  readonly epoch: number;
  readonly operationId: VmRecord['operationId'];
}

export type WantedPower =
  | { readonly power: 'running'; readonly reset: boolean }
  | { readonly power: 'paused' }
  | { readonly power: 'stopped'; readonly graceMs: number };

export type Demand =
  | { readonly kind: 'ensure-vm'; readonly spec: VmSpec; readonly wanted: WantedPower }
  | { readonly kind: 'remove-vm' }
  | { readonly kind: 'ensure-disk'; readonly volumeId: VmRecord['removedVolumeIds'][number] }
  | { readonly kind: 'remove-disk'; readonly volumeId: VmRecord['removedVolumeIds'][number] }
  | { readonly kind: 'ensure-balloon' | 'freeze-template' }
  | { readonly kind: 'offer-vm'; readonly offer: Offer }
  | { readonly kind: 'withdraw-offer' }
  | { readonly kind: 'receive-vm' };

export type Admission =
  | { readonly kind: 'admitted'; readonly record: VmRecord }
  | {
      readonly kind: 'refused';
      readonly code: 'stale_generation' | 'conflict_state' | 'not_found' | 'no_capacity';
      readonly message: string;
    };

/** More disks than a VM can have; a bound on what one operation makes us remember. */
export const VOLUMES_PER_VM_MAX = 64;

export function admit(record: VmRecord | null, intent: Intent, demand: Demand, nowMs: number): Admission {
  const refusal = record === null ? refusalOfUnknown(demand) : refusalOf(record, intent, demand);
  if (refusal !== null) return refusal;
  return { kind: 'admitted', record: remember(baseOf(record, intent, demand), intent, demand, nowMs) };
}

const stale = (message: string): Admission => ({ kind: 'refused', code: 'stale_generation', message });

const NEED_A_VM: readonly Demand['kind'][] = ['ensure-balloon', 'freeze-template', 'offer-vm', 'withdraw-offer'];

function refusalOfUnknown(demand: Demand): Admission | null {
  if (!NEED_A_VM.includes(demand.kind)) return null;
  return { kind: 'refused', code: 'not_found', message: 'this host does not know the VM' };
}

function refusalOf(record: VmRecord, intent: Intent, demand: Demand): Admission | null {
  const order = compareFences(intent, record.fence);
  if (order < 0) return stale('a newer intent for this VM has been seen on this host');
  if (record.tombstone !== null) return refusalAfterRemoval(record.tombstone.isSwept, order, demand);
  switch (demand.kind) {
    case 'ensure-vm':
      return refusalOfPower(record, intent, order, demand.wanted);
    case 'ensure-balloon':
    case 'freeze-template':
      return intent.epoch < record.epoch ? stale('a newer start of this VM has been seen on this host') : null;
    case 'ensure-disk': {
      if (order === 0 && record.removedVolumeIds.includes(demand.volumeId)) {
        return stale('this disk has been removed since');
      }
      const count = Object.keys(record.volumes).length;
      return count < VOLUMES_PER_VM_MAX || demand.volumeId in record.volumes
        ? null
        : { kind: 'refused', code: 'no_capacity', message: `a VM has ${VOLUMES_PER_VM_MAX} disks at most` };
    }
    case 'offer-vm':
      return record.spec === null ? refusalOfUnknown(demand) : refusalOfFork(record);
    case 'receive-vm':
      // Of the same operation: it was received before, and the answer was lost.
      return record.spec === null || record.operationId === intent.operationId
        ? null
        : { kind: 'refused', code: 'conflict_state', message: 'this host has the VM already' };
    case 'withdraw-offer':
    case 'remove-vm':
    case 'remove-disk':
      return null;
    default:
      return assertNever(demand);
  }
}

/** The file under its disk is this host's. */
function refusalOfFork({ volumes }: VmRecord): Admission | null {
  if (Object.values(volumes).every((volume) => volume?.templateId == null)) return null;
  return { kind: 'refused', code: 'conflict_state', message: 'the disk of the VM rests on a template of this host' };
}

function refusalAfterRemoval(isSwept: boolean, order: number, demand: Demand): Admission | null {
  if (demand.kind === 'remove-vm' || demand.kind === 'remove-disk') return null;
  if (NEED_A_VM.includes(demand.kind)) return refusalOfUnknown(demand);
  if (order === 0) return stale('this VM has been removed since');
  // A newer intent may bring a VM back to this host, but not while its disks are being removed.
  return isSwept
    ? null
    : { kind: 'refused', code: 'conflict_state', message: 'the removal of this VM from the host has not finished' };
}

function refusalOfPower(record: VmRecord, intent: Intent, order: number, wanted: WantedPower): Admission | null {
  if (wanted.power !== 'stopped') {
    if (order === 0 && record.offer !== null) {
      return { kind: 'refused', code: 'conflict_state', message: 'the VM is on its way to another host' };
    }
    return intent.epoch < record.epoch ? stale('a newer start of this VM has been seen on this host') : null;
  }
  // An operation stops first and starts afterwards, never the other way round under one fence: this stop was overtaken.
  const isOvertaken =
    order === 0 &&
    record.wanted !== null &&
    record.wanted.power !== 'stopped' &&
    compareFences(record.wanted.fence, intent) === 0 &&
    intent.epoch <= record.epoch;
  return isOvertaken ? stale('the same operation has started the VM since') : null;
}

const BRING_BACK: readonly Demand['kind'][] = ['ensure-vm', 'ensure-disk', 'receive-vm'];

/** A VM that comes back after its removal keeps nothing but what fences its earlier runs. */
function baseOf(record: VmRecord | null, intent: Intent, demand: Demand): VmRecord {
  const isRevived = record?.tombstone != null && BRING_BACK.includes(demand.kind);
  if (record !== null && !isRevived) return record;
  return {
    version: 1,
    vmId: intent.vmId,
    fence: fenceOf(intent),
    operationId: intent.operationId,
    epoch: record?.epoch ?? 0,
    spec: null,
    machineType: null,
    vmGenerationId: null,
    fork: { hasRun: false, isFresh: false },
    freezingTemplateId: null,
    wanted: null,
    stopBy: null,
    reset: null,
    run: record?.run ?? null,
    offer: null,
    volumes: {},
    claims: record?.claims ?? [],
    removedVolumeIds: [],
    tombstone: null,
  };
}

function remember(base: VmRecord, intent: Intent, demand: Demand, nowMs: number): VmRecord {
  const fence = fenceOf(intent);
  const record: VmRecord = {
    ...base,
    fence,
    operationId: intent.operationId,
    epoch: Math.max(base.epoch, intent.epoch),
    removedVolumeIds: compareFences(fence, base.fence) > 0 ? [] : base.removedVolumeIds,
    offer: compareFences(fence, base.fence) > 0 ? null : base.offer,
  };
  switch (demand.kind) {
    case 'ensure-vm':
      return {
        ...record,
        spec: demand.spec,
        wanted: { power: demand.wanted.power, fence },
        stopBy: stopByOf(base, fence, demand.wanted, nowMs),
        reset: resetOf(base, fence, demand.wanted),
      };
    case 'remove-vm':
      return { ...record, offer: null, tombstone: base.tombstone ?? { removedAtMs: nowMs, isSwept: false } };
    case 'remove-disk':
      return record.tombstone !== null || record.removedVolumeIds.includes(demand.volumeId)
        ? record
        : {
            ...record,
            removedVolumeIds: [...record.removedVolumeIds, demand.volumeId].slice(-VOLUMES_PER_VM_MAX),
          };
    case 'offer-vm':
      return { ...record, offer: demand.offer };
    case 'withdraw-offer':
      return { ...record, offer: null };
    case 'ensure-disk':
    case 'ensure-balloon':
    case 'receive-vm':
    case 'freeze-template':
      return record;
    default:
      return assertNever(demand);
  }
}

/** Asking again, or after a crash, does not give the guest more time; asking for less time takes some away. */
function stopByOf(base: VmRecord, fence: Fence, wanted: WantedPower, nowMs: number): VmRecord['stopBy'] {
  if (wanted.power !== 'stopped') return null;
  const atMs = nowMs + wanted.graceMs;
  const isSameStop = base.stopBy?.generation === fence.generation;
  return { generation: fence.generation, atMs: isSameStop ? Math.min(base.stopBy?.atMs ?? atMs, atMs) : atMs };
}

function resetOf(base: VmRecord, fence: Fence, wanted: WantedPower): VmRecord['reset'] {
  if (wanted.power === 'running' && wanted.reset) {
    return base.reset?.generation === fence.generation ? base.reset : { generation: fence.generation, isDone: false };
  }
  // A reset that never came to be pressed must not be pressed for a later intent.
  return base.reset?.isDone === true ? base.reset : null;
}

const fenceOf = (intent: Intent): Fence => ({ generation: intent.generation, fencingToken: intent.fencingToken });

/** The process as it is now. */
export interface LiveRun {
  readonly epoch: number;
  readonly power: 'running' | 'paused';
}

export type Action =
  | { readonly kind: 'launch'; readonly isPaused: boolean }
  | { readonly kind: 'end' }
  | { readonly kind: 'stop-gracefully'; readonly untilMs: number }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'reset' }
  /** Makes the running machine what the specification says, as far as it can be changed. */
  | { readonly kind: 'change' }
  /** Ends what runs and removes all but the tombstone. */
  | { readonly kind: 'sweep' };

/** The next thing to do, or null when nothing can or need be done. */
export function nextAction(record: VmRecord, live: LiveRun | null, nowMs: number): Action | null {
  if (record.tombstone !== null) return record.tombstone.isSwept ? null : { kind: 'sweep' };
  if (record.wanted === null) return null;
  if (record.wanted.power === 'stopped') return live === null ? null : stopping(record, nowMs);
  if (live === null) {
    return mayLaunch(record) ? { kind: 'launch', isPaused: record.wanted.power === 'paused' } : null;
  }
  if (live.epoch < record.epoch) return { kind: 'end' };
  if (record.reset !== null && !record.reset.isDone) return { kind: 'reset' };
  // A guest takes part in a change only while it runs.
  if (record.wanted.power === 'running' && live.power === 'paused') return { kind: 'resume' };
  if (isToChange(record)) return { kind: 'change' };
  return live.power === record.wanted.power ? null : { kind: 'pause' };
}

/** A machine of which nothing is known is compared by the driver. */
const isToChange = ({ spec, run }: VmRecord): boolean =>
  spec !== null && run !== null && !isDeepStrictEqual(run.machine, machineOf(spec));

/** An epoch is one run: one that was up is never started again, one that may not have come up may be tried again. */
function mayLaunch(record: VmRecord): boolean {
  const { run } = record;
  return run === null || run.epoch < record.epoch || run.phase === 'launching';
}

function stopping(record: VmRecord, nowMs: number): Action {
  const untilMs = record.stopBy?.atMs ?? nowMs;
  return untilMs > nowMs ? { kind: 'stop-gracefully', untilMs } : { kind: 'end' };
}
