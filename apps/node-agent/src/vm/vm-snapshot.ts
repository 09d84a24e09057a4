import type { VmExit, VmPlacement, VmPower } from '@kvorum/hypervisor-driver';
import type { Accelerator } from '@kvorum/schema';
import type { VmCondition } from './vm-condition.js';
import type { VmRecord } from './vm-record.js';

/** What is true of the VM at this moment. */
export interface VmSnapshot {
  readonly vmId: string;
  readonly epoch: number;
  readonly generation: number;
  /** `unknown`: the agent could not find out; see `conditions`. */
  readonly power: VmPower | 'stopped' | 'unknown';
  readonly exit: VmExit | null;
  readonly accelerator: Accelerator | null;
  /** Null: it was not started yet. */
  readonly machineType: string | null;
  readonly pid: number | null;
  readonly conditions: readonly VmCondition[];
  /** Where it runs; null: it does not. */
  readonly placement: VmPlacement | null;
  readonly promisedOverheadBytes: number;
}

/** Epoch and generation are in the record: whatever is reported with 0 changes no state of the VM. */
export const unreadableSnapshot = (vmId: string, condition: VmCondition): VmSnapshot => ({
  vmId,
  epoch: 0,
  generation: 0,
  power: 'unknown',
  exit: null,
  accelerator: null,
  machineType: null,
  pid: null,
  conditions: [condition],
  placement: null,
  promisedOverheadBytes: 0,
});

/** Of the highest epoch; a run of an earlier one was ended for the sake of what came later. */
export function exitOf(record: VmRecord): VmExit | null {
  if (record.run === null) return null;
  if (record.run.epoch < record.epoch) return { reason: 'requested', detail: '' };
  return record.run.exit;
}
