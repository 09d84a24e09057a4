import { DomainError, nextOnRequest, refusalOf, type Volume } from '@kvorum/schema';
import { z } from 'zod';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { findGuestAgent } from '../vm/pooled-disk.store.js';
import { settleVm } from '../vm/settle-vm.js';
import { findVmForIntent, recordIntent, type VmForIntent } from '../vm/vm-intent.store.js';
import { takeAll, targetOf } from './take-volume.js';
import { settleVolumes, type VolumeSettlement } from './volume.store.js';
import { VolumeTarget } from './volume-operation.js';
import { recordVolumeStates, requireState } from './volumes.js';

/** The VM that has the volumes: nobody starts, stops or changes it until the operation has ended. */
export const HeldVm = z.object({
  vmId: z.uuid(),
  projectId: z.uuid(),
  hostId: z.uuid(),
  generation: z.int(),
  power: z.enum(['running', 'paused', 'stopped']),
  guestAgent: z.enum(['unknown', 'absent', 'responding']),
});
export type HeldVm = z.infer<typeof HeldVm>;

/** Volumes of one VM, or of none, for an operation. */
export const HeldVolumes = z.object({ vm: HeldVm.nullable(), volumes: z.array(VolumeTarget) });
export type HeldVolumes = z.infer<typeof HeldVolumes>;

export const vmIdOfHeld = ({ vm }: HeldVolumes): string | null =>
  vm === null || vm.power === 'stopped' ? null : vm.vmId;

/**
 * Takes volumes for an operation, and with them the VM that has them, by its lifecycle table. Locks the VM and then the volumes.
 * Throws conflict_state that says what is in the way.
 */
export async function holdVolumes(tx: Tx, volumes: readonly Volume[], operationId: string): Promise<HeldVolumes> {
  for (const volume of volumes) requireState(volume, 'available');
  const [first, ...others] = volumes;
  if (first === undefined) throw new TypeError('an operation on volumes is about one at least');
  if (others.some(({ vmId }) => vmId !== first.vmId)) {
    throw new DomainError(
      'conflict_state',
      'the volumes are not all of one VM; ask for those of each VM by themselves',
    );
  }
  const vm = first.vmId === null ? null : await holdVm(tx, first.vmId, operationId);
  await takeAll(tx, volumes, operationId);
  return { vm, volumes: volumes.map(targetOf) };
}

/** Takes the VM for an operation that leaves it as it is. Throws conflict_state that says what is in the way. */
export async function holdVm(tx: Tx, vmId: string, operationId: string): Promise<HeldVm> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null || vm.hostId === null) throw new TypeError(`VM ${vmId}, which has volumes, is on a host`);
  const refusal = (why: string): DomainError =>
    new DomainError('conflict_state', `its VM ${vm.name}: ${why}`, {
      details: { vmId, state: vm.state, operationId: vm.operationId },
    });
  const state = nextOnRequest(vm.state, 'update');
  if (state === null) throw refusal(refusalOf(vm.state, 'update'));
  if (!(await recordIntent(tx, vm, { request: 'update', state, epoch: vm.epoch, operationId }))) {
    throw refusal('another request for it came in between; look at it anew');
  }
  await recordEvent(tx, {
    type: 'vm.state',
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vmId,
    data: { from: vm.state, to: state, request: 'update', operationId },
  });
  const { projectId, hostId } = vm;
  const guestAgent = HeldVm.shape.guestAgent.parse(await findGuestAgent(tx, vmId));
  return { vmId, projectId, hostId, generation: vm.generation + 1, power: powerOf(vm), guestAgent };
}

const powerOf = ({ state }: VmForIntent): HeldVm['power'] =>
  state === 'running' || state === 'paused' ? state : 'stopped';

export async function releaseVm(tx: Tx, operationId: string, vm: HeldVm): Promise<void> {
  const result = vm.power === 'running' ? 'done' : vm.power === 'paused' ? 'donePaused' : 'doneStopped';
  // Its host has not been told of this intent: what it reports of the one before still counts.
  await settleVm(tx, operationId, vm, { result, failure: null, isOutcomeKnown: false });
}

/** Lets the VM and the volumes go, in the transaction that ends the operation. Whatever became of it, the VM is as it was. */
export async function releaseHeld(
  tx: Tx,
  operationId: string,
  { vm, volumes }: HeldVolumes,
  end: VolumeSettlement,
): Promise<void> {
  if (vm !== null) await releaseVm(tx, operationId, vm);
  await settleVolumes(
    tx,
    volumes.map(({ volumeId }) => volumeId),
    operationId,
    end,
  );
  await recordVolumeStates(tx, volumes, operationId, end.state);
}
