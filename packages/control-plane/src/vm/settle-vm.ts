import { nextOnResult, type StoredError, type VmResult } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { release } from '../host/reservation.store.js';
import { returnQuota } from '../project/project.store.js';
import { releasePorts } from './card-port.store.js';
import { keepAddresses } from './nic-address.store.js';
import { changeHeld, setBootMemory, shapeOf, writeShape } from './update-vm.store.js';
import { keepUserData } from './user-data.store.js';
import {
  findVmForIntent,
  findVmUsage,
  markVmDeleted,
  markVolumesDeleted,
  settleVm as writeSettlement,
} from './vm-intent.store.js';
import type { EnsuredVm, VmIntentTarget, VmTarget } from './vm-operation.js';
import { heldBy } from './vm-shape.js';

export interface VmEnd {
  readonly result: VmResult;
  readonly failure: StoredError | null;
  /** Is it known what became of the guest? See vms.settled_generation. */
  readonly isOutcomeKnown: boolean;
  readonly ensured?: EnsuredVm | undefined;
}

/** Ends an intent on a VM by the lifecycle table, in the transaction that ends its operation. */
export async function settleVm(tx: Tx, operationId: string, target: VmIntentTarget, end: VmEnd): Promise<void> {
  const vm = await findVmForIntent(tx, target.vmId);
  if (vm === null) throw new TypeError(`VM ${target.vmId} of operation ${operationId} has a row`);
  const state = nextOnResult(vm.state, end.result);
  if (state === null) throw new TypeError(`VM ${target.vmId} is ${vm.state}, which has no result ${end.result}`);
  const settled = await writeSettlement(tx, {
    vmId: target.vmId,
    generation: target.generation,
    state,
    failure: end.failure,
    isOutcomeKnown: end.isOutcomeKnown,
    reportGeneration: end.ensured?.reportGeneration ?? null,
  });
  if (settled === null) throw new TypeError(`VM ${target.vmId} has left the intent of its operation ${operationId}`);
  await recordEvent(tx, {
    type: 'vm.state',
    projectId: settled.projectId,
    resourceKind: 'vm',
    resourceId: target.vmId,
    data: { from: settled.from, to: state, operationId, ...(end.failure === null ? {} : { error: end.failure.code }) },
  });
}

/**
 * Gives back what a VM holds: quota of its project, room on its host, its volumes. Nothing if it holds nothing. Only for a
 * VM of which it is certain that its host has nothing of it. Locks project, host and VM in this order, as create does.
 */
export async function giveBack(tx: Tx, target: VmIntentTarget, also: { vmCount: 0 | 1 }): Promise<void> {
  const vm = await findVmForIntent(tx, target.vmId);
  const usage = vm?.holdsResources
    ? await findVmUsage(tx, target.vmId)
    : { vcpuCount: 0, memoryBytes: 0, diskBytes: 0 };
  await returnQuota(tx, target.projectId, { ...usage, vmCount: also.vmCount });
  await release(tx, target.vmId);
  await markVolumesDeleted(tx, target.vmId);
  await keepAddresses(tx, target.vmId, []);
  await keepUserData(tx, target.vmId, []);
}

/**
 * The end of an operation that began a new run: the VM is what it was to become, and what only its former self needed is
 * given back. Locks project, host and VM in this order.
 */
export async function settleNewRun(tx: Tx, operationId: string, target: VmTarget, ensured?: EnsuredVm): Promise<void> {
  const vm = await findVmForIntent(tx, target.vmId);
  if (vm !== null && vm.nextShape !== null) {
    const held = heldBy(target.rootVolumeId, [shapeOf(vm), vm.nextShape]);
    await changeHeld(tx, target, held, heldBy(target.rootVolumeId, [target]));
    await writeShape(tx, target.vmId, { current: target, next: null });
    await keepAddresses(tx, target.vmId, [target]);
    await keepUserData(tx, target.vmId, [target]);
    await releasePorts(tx, target.vmId, [shapeOf(vm)], [target]);
  }
  await setBootMemory(tx, target.vmId, target.memoryBytes);
  await settleVm(tx, operationId, target, { result: 'done', failure: null, isOutcomeKnown: true, ensured });
}

export async function settleDeletedVm(tx: Tx, operationId: string, target: VmIntentTarget): Promise<void> {
  await giveBack(tx, target, { vmCount: 1 });
  await settleVm(tx, operationId, target, { result: 'done', failure: null, isOutcomeKnown: true });
  await markVmDeleted(tx, target.vmId);
}
