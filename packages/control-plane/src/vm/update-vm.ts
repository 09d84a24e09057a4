import {
  type AcceptedOperation,
  DomainError,
  newId,
  nextOnRequest,
  type OperationId,
  refusalOf as stateRefusalOf,
  type UpdateVmRequest,
  type VmFieldChange,
  type VmId,
  type VmUpdatePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from './accepted-operation.js';
import { claimPorts, type PortsClaim } from './card-ports.js';
import { changePooledDisks } from './change-pooled-disks.js';
import { holdGrowth } from './hold-growth.js';
import { addressTaken, cardsOf, takeAddresses } from './nic-address.store.js';
import { planUpdate, type UpdateAnswer } from './plan-update.js';
import { type RequestedShape, readUpdate } from './read-update.js';
import { requireGroup } from './require-group.js';
import { targetOf } from './target-of-vm.js';
import { type UpdateVmInput, updateVmOperation } from './update-vm.operation.js';
import { shapeOf, writeNextShape, writeVolumes } from './update-vm.store.js';
import { insertUserData } from './user-data.store.js';
import { identityChanges, identityOf, writeIdentity } from './vm-identity.js';
import { findVmForIntent, recordIntent, type VmForIntent } from './vm-intent.store.js';
import { heldBy, type VmShape } from './vm-shape.js';

export interface UpdateVmOptions {
  readonly idempotency?: Idempotency | undefined;
  /** The generation the caller has seen; anything else is precondition_failed. */
  readonly ifMatch?: number | undefined;
}

/**
 * Makes a VM what is asked for, live where that is possible, otherwise at its next start. What grows is paid for here, in
 * one transaction with the record; what shrinks is given back when the operation has ended. Throws invalid_request,
 * conflict_state, precondition_failed, quota_exceeded, no_capacity, already_exists, not_found.
 */
export async function updateVm(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: UpdateVmRequest,
  options: UpdateVmOptions = {},
): Promise<AcceptedOperation> {
  const operationId = newId<OperationId>();
  const before = await withTransaction(cp.database, async (tx) => {
    const vm = await findOwn(tx, actor, vmId);
    const answer = { status: ACCEPTED_STATUS, resourceId: vmId, operationId };
    const stored = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (stored !== null) return stored;
    requireReady(vm, options);
    await record(tx, cp, actor, vm, await decide(tx, cp, actor, vm, request), operationId);
    return null;
  });
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  await ringBell(cp, operationId);
  return acceptedOperation(cp.database, operationId, vmId);
}

/** What `updateVm` would do, with the same refusals but those of quota and room. Changes nothing. */
export async function planVmUpdate(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: UpdateVmRequest,
  options: UpdateVmOptions = {},
): Promise<VmUpdatePlan> {
  return withTransaction(cp.database, async (tx) => {
    const vm = await findOwn(tx, actor, vmId);
    requireReady(vm, options);
    const { requested, answer } = await weigh(tx, cp, actor, vm, request);
    return { changes: [...identityChanges(vm, requested), ...answer.changes], pendingChanges: [...answer.pending] };
  });
}

async function findOwn(tx: Tx, actor: Actor, vmId: VmId): Promise<VmForIntent> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null || vm.isDeleted) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  return vm;
}

function requireReady(vm: VmForIntent, { ifMatch }: UpdateVmOptions): void {
  if (ifMatch !== undefined && ifMatch !== vm.generation) {
    throw new DomainError('precondition_failed', `the VM is at generation ${vm.generation}`, {
      details: { generation: vm.generation },
    });
  }
  const details = { state: vm.state, operationId: vm.operationId };
  if (nextOnRequest(vm.state, 'update') === null) {
    throw new DomainError('conflict_state', stateRefusalOf(vm.state, 'update'), { details });
  }
  if (!vm.holdsResources) throw new DomainError('conflict_state', 'the VM was never created; delete it', { details });
}

interface Decision extends RequestedShape {
  readonly answer: UpdateAnswer;
}

async function weigh(tx: Tx, cp: ControlPlane, actor: Actor, vm: VmForIntent, request: UpdateVmRequest) {
  await requireGroup(tx, vm, request.vmGroupId);
  const current = shapeOf(vm);
  const requested = await readUpdate(tx, { actor, vm, current, request, cp });
  const isLive = vm.state === 'running' || vm.state === 'paused';
  const answer = planUpdate({
    current,
    wantedBefore: vm.nextShape ?? current,
    wanted: requested.shape,
    machine:
      !isLive || vm.accelerator === null
        ? null
        : {
            accelerator: vm.accelerator,
            bootMemoryBytes: vm.bootMemoryBytes,
            hardware: current.hardware,
            isPaused: vm.state === 'paused',
          },
  });
  return { requested, answer };
}

async function decide(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  vm: VmForIntent,
  request: UpdateVmRequest,
): Promise<Decision> {
  const { requested, answer } = await weigh(tx, cp, actor, vm, request);
  refuseFirst(answer.changes, ({ effect }) => effect === 'replace', 'cannot be changed');
  refuseFirst(answer.pending, isDiskGoing, 'cannot wait for the next start');
  if (request.onlyLive) refuseFirst(answer.changes, ({ effect }) => effect !== 'live', 'would not be in force at once');
  return { ...requested, answer };
}

/** A disk that is to be removed later could not be told from one that is in use. */
const isDiskGoing = ({ field, to }: VmFieldChange): boolean => to === null && field.includes('.dataDisks[');

function refuseFirst(
  changes: readonly VmFieldChange[],
  isRefused: (change: VmFieldChange) => boolean,
  why: string,
): void {
  const refused = changes.filter(isRefused);
  const [first] = refused;
  if (first === undefined) return;
  const fields = refused.map(({ field, reason }) => ({ field: `body.${field}`, message: `${why}: ${reason}` }));
  throw new DomainError('conflict_state', `${first.field} ${why}: ${first.reason}`, { details: { fields } });
}

/** Of the shapes, the cards that the VM did not have before, nor was to have. */
function newCardsOf(
  actor: Actor,
  vm: VmForIntent,
  { vmName, shapes, now }: Pick<PortsClaim, 'vmName' | 'shapes' | 'now'>,
): PortsClaim {
  const known = new Set(
    [vm.hardware, ...(vm.nextShape === null ? [] : [vm.nextShape.hardware])].flatMap(({ devices }) =>
      devices.nics.map(({ id }) => id),
    ),
  );
  const withNew = shapes.map(({ hardware }) => {
    const nics = hardware.devices.nics.filter(({ id }) => !known.has(id));
    return { hardware: { ...hardware, devices: { ...hardware.devices, nics } } };
  });
  return { actor, vmId: vm.vmId, vmName, projectId: vm.projectId, shapes: withNew, now };
}

async function record(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  vm: VmForIntent,
  decision: Decision,
  operationId: OperationId,
): Promise<void> {
  const { answer, images, attached } = decision;
  const identity = identityOf(decision);
  const { name } = identity;
  const current = shapeOf(vm);
  const target = targetOf({ ...vm, ...answer.current, name }, vm.epoch);
  const shapes = [current, vm.nextShape, answer.current, answer.next];
  const held = heldBy(target.rootVolumeId, shapes);
  // Project, VM group and host first, the VM afterwards: the order in which every transaction locks them.
  await holdGrowth(tx, vm, heldBy(target.rootVolumeId, [current, vm.nextShape]), held);
  const state = 'updating';
  if (!(await recordIntent(tx, vm, { request: 'update', state, epoch: vm.epoch, operationId }))) {
    throw new DomainError('conflict_state', 'another request for this VM came in between; look at it anew');
  }
  const diskChange = { before: [current, vm.nextShape], after: [answer.current, answer.next], attached, operationId };
  const { pooledVolumes, pooled } = await changePooledDisks(tx, { ...target, name: vm.name }, diskChange);
  await writeIdentity(tx, vm, identity);
  const present = shapes.filter((shape): shape is VmShape => shape !== null);
  const taken = await takeAddresses(tx, cardsOf(vm.vmId, present));
  if (taken !== null) throw addressTaken(taken, 'body.hardware.devices.nics');
  await claimPorts(tx, [newCardsOf(actor, vm, { vmName: name, shapes: present, now: cp.clock() })]);
  await writeVolumes(tx, target, held.volumes);
  await insertUserData(tx, [{ cloudInit: decision }]);
  await writeNextShape(tx, vm.vmId, answer.next ?? (vm.nextShape === null ? null : answer.current));
  const input: UpdateVmInput = {
    ...target,
    pooledVolumes,
    pooled,
    power: vm.state === 'running' || vm.state === 'paused' ? vm.state : 'stopped',
    before: { identity: identityOf(vm), current, next: vm.nextShape },
    after: { identity, current: answer.current, next: answer.next },
    images,
  };
  await recordOperation(tx, {
    definition: updateVmOperation,
    input,
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vm.vmId,
    createdBy: actor.tokenName,
    now: cp.clock(),
    operationId,
  });
  await recordEvent(tx, {
    type: 'vm.state',
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vm.vmId,
    data: {
      from: vm.state,
      to: state,
      request: 'update',
      operationId,
      fields: answer.changes.map(({ field }) => field),
    },
  });
}
