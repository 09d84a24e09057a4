import type { PlacementRequest } from '@kvorum/scheduler';
import {
  type AcceptedOperation,
  DomainError,
  type HostId,
  type MoveVmRequest,
  newId,
  nextOnRequest,
  type OperationId,
  refusalOf as stateRefusalOf,
  type VmId,
  type VmMovePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Database, type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { withFloatingTrait } from '../floating-address/with-floating-trait.js';
import { findHostAddress } from '../host/host.store.js';
import { reserve } from '../host/reservation.store.js';
import { claimIdempotencyKey, findIdempotentAnswer } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { insertPlacement } from '../placement/placement.store.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { findBrokenRule } from '../vm-group/find-broken-rule.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from './accepted-operation.js';
import { mediaIdsOf } from './media-of-drives.js';
import { type MoveVmInput, moveVmOperation } from './move-vm.operation.js';
import { findNeededImages, findVolumesOfVm, hasPooledVolumes } from './move-vm.store.js';
import { type ProposedHost, placeAndReserve, RoomLost, recordRefusal } from './place-vm.js';
import { requestOfVm } from './request-of-vm.js';
import { targetOf } from './target-of-vm.js';
import { shapeOf } from './update-vm.store.js';
import { findVmForIntent, recordIntent, type VmForIntent } from './vm-intent.store.js';
import { type Held, heldBy, roomFor } from './vm-shape.js';

export interface MoveVmOptions {
  readonly idempotency?: Idempotency | undefined;
  /** The generation the caller has seen; anything else is precondition_failed. */
  readonly ifMatch?: number | undefined;
  /** Given when the operation is part of another one. */
  readonly operationId?: OperationId;
}

/** A VM that may be moved, and what is asked of placement for it. */
interface Movable {
  readonly vm: VmForIntent & { readonly hostId: string; readonly rootVolumeId: string };
  readonly held: Held;
  readonly wanted: PlacementRequest;
}

/**
 * Moves a VM that does not run to another host: the one named, or where placement puts it, by the rules of a create. Room there is
 * taken in one transaction with the record; what it holds where it is, it gives back when the operation has ended. Throws
 * conflict_state, precondition_failed, no_capacity, forbidden, not_found.
 */
export async function moveVm(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: MoveVmRequest,
  options: MoveVmOptions = {},
): Promise<AcceptedOperation> {
  const { idempotency, operationId = newId<OperationId>() } = options;
  const before = await findIdempotentAnswer(cp.database, actor.tokenId, idempotency);
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  const movable = await readMovable(cp.database, actor, vmId, request, options);
  const claim = { reservationId: newId() };
  const record = (proposed: ProposedHost) =>
    withTransaction(cp.database, (tx) =>
      recordMove(tx, cp, actor, { movable, proposed, claim, operationId, idempotency }),
    );
  const end = await placeAndReserve(cp, vmId, movable.wanted, record, claim);
  if (end.refusal !== null) {
    const { projectId, name: vmName } = movable.vm;
    throw await recordRefusal(cp, actor, end.refusal, { projectId, vmName });
  }
  if (end.result === operationId) await ringBell(cp, operationId);
  return acceptedOperation(cp.database, end.result, vmId);
}

/** Where `moveVm` would take the VM, with the same refusals. Nothing is reserved. */
export async function planVmMove(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: MoveVmRequest,
  options: Pick<MoveVmOptions, 'ifMatch'> = {},
): Promise<VmMovePlan> {
  const { vm, held, wanted } = await readMovable(cp.database, actor, vmId, request, options);
  const proposal = await cp.fleet.propose(vmId, wanted, 'fresh', { reservationId: newId() });
  if (proposal.kind === 'refused') {
    throw await recordRefusal(cp, actor, proposal, { projectId: vm.projectId, vmName: vm.name });
  }
  proposal.settle('given up');
  const [from, to] = await Promise.all([vm.hostId, proposal.hostId].map((id) => findHostAddress(cp.database, id)));
  const steps = moveVmOperation.steps.map(({ name }) => name);
  return {
    fromHostId: vm.hostId as HostId,
    fromHostName: from?.name ?? '',
    toHostId: proposal.hostId as HostId,
    toHostName: to?.name ?? '',
    diskBytes: [...held.volumes.values()].reduce((sum, bytes) => sum + bytes, 0),
    steps,
    lastStep: steps.at(-1) ?? '',
  };
}

async function readMovable(
  database: Database | Tx,
  actor: Actor,
  vmId: VmId,
  request: MoveVmRequest,
  { ifMatch }: Pick<MoveVmOptions, 'ifMatch'>,
): Promise<Movable> {
  const { hostId } = request;
  if (hostId !== undefined && actor.role !== 'admin') throw refusedHost('forbidden', 'only admins choose the host');
  const vm = await findVmForIntent(database, vmId);
  if (vm === null || vm.isDeleted) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  requireMovable(vm, ifMatch);
  // What changes which volumes it has counts its generation, which is looked at again when the move is recorded.
  if (await hasPooledVolumes(database, vmId)) throw notWithPools();
  if (vm.templateId !== null) throw notOfTemplate();
  if (hostId === vm.hostId) throw refusedHost('conflict_state', 'the VM is on this host already');
  if (vm.hostId === null || vm.rootVolumeId === null) throw new TypeError(`VM ${vmId} that holds room has a host`);
  const held = heldBy(vm.rootVolumeId, [shapeOf(vm), vm.nextShape]);
  const accelerator = vm.accelerator ?? undefined;
  // The machine it was first started as is the machine it stays.
  const hardware = { ...vm.hardware, machineType: vm.hardware.machineType ?? vm.machineType };
  const wanted = await withFloatingTrait(database, vm, {
    ...requestOfVm({ ...vm, accelerator, hardware }, vm, 0),
    // For what it is now and what it becomes at its next start.
    ...roomFor(held, vm.accelerator, 1),
    hostId: hostId ?? null,
    excludedHostIds: [vm.hostId],
  });
  return { vm: { ...vm, hostId: vm.hostId, rootVolumeId: vm.rootVolumeId }, held, wanted };
}

const refusedHost = (code: 'forbidden' | 'conflict_state', message: string): DomainError =>
  new DomainError(code, message, { details: { fields: [{ field: 'body.hostId', message }] } });

const notWithPools = (): DomainError =>
  new DomainError(
    'conflict_state',
    'the VM has volumes on storage pools, which do not move with a VM yet: detach them first; one whose root disk is on a pool stays',
  );

const notOfTemplate = (): DomainError =>
  new DomainError(
    'conflict_state',
    'the disk of the VM rests on a template of its host, and cannot leave it: create a VM from an image on the other host instead',
  );

function requireMovable(vm: VmForIntent, ifMatch: number | undefined): void {
  if (ifMatch !== undefined && ifMatch !== vm.generation) {
    throw new DomainError('precondition_failed', `the VM is at generation ${vm.generation}`, {
      details: { generation: vm.generation },
    });
  }
  const details = { state: vm.state, operationId: vm.operationId };
  if (['running', 'paused'].includes(vm.state)) {
    const message = `the VM is ${vm.state}: stop it first; a VM cannot be moved while it runs (live migration is not here yet)`;
    throw new DomainError('conflict_state', message, { details });
  }
  if (nextOnRequest(vm.state, 'move') === null) {
    throw new DomainError('conflict_state', stateRefusalOf(vm.state, 'move'), { details });
  }
  if (!vm.holdsResources) throw new DomainError('conflict_state', 'the VM was never created; delete it', { details });
}

interface NewMove {
  readonly movable: Movable;
  readonly proposed: ProposedHost;
  readonly claim: { readonly reservationId: string };
  readonly operationId: OperationId;
  readonly idempotency: Idempotency | undefined;
}

/** Returns the operation, also one that the same request was given before. Locks keys, VM groups, hosts and the VM, in this order. */
async function recordMove(tx: Tx, cp: ControlPlane, actor: Actor, move: NewMove): Promise<string> {
  const { movable, proposed, claim, operationId, idempotency } = move;
  const { vm } = movable;
  const answer = { status: ACCEPTED_STATUS, resourceId: vm.vmId, operationId };
  const stored = await claimIdempotencyKey(tx, actor.tokenId, idempotency, answer);
  if (stored?.operationId != null) return stored.operationId;
  const { hostId, accelerator } = proposed;
  const joining = vm.vmGroupId === null ? [] : [{ vmId: vm.vmId, vmGroupId: vm.vmGroupId, hostId }];
  if ((await findBrokenRule(tx, joining)) !== null) throw new RoomLost();
  const room = roomFor(movable.held, accelerator, 1);
  const { smt } = vm.hardware.cpuPolicy;
  const reservation = { ...room, ...claim, vmId: vm.vmId, hostId, accelerator, smt, purpose: 'move' as const };
  await requireSameVm(tx, vm);
  if (!(await reserve(tx, [reservation]))) throw new RoomLost();
  const intent = { request: 'move', state: 'moving', epoch: vm.epoch, operationId } as const;
  if (!(await recordIntent(tx, vm, intent))) throw overtaken();
  await recordOperation(tx, {
    definition: moveVmOperation,
    input: await inputOf(tx, movable, proposed),
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vm.vmId,
    createdBy: actor.tokenName,
    now: cp.clock(),
    operationId,
  });
  const { record, evidence } = proposed;
  const { vmId, projectId, name: vmName } = vm;
  await insertPlacement(tx, { id: newId(), projectId, vmId, vmName, requestedBy: actor.tokenName, record, evidence });
  await recordEvent(tx, {
    type: 'vm.state',
    projectId,
    resourceKind: 'vm',
    resourceId: vmId,
    data: { from: vm.state, to: 'moving', request: 'move', operationId, fromHostId: vm.hostId, toHostId: hostId },
  });
  return operationId;
}

/** Before room is asked for: another move of the VM would have taken it, and the loser is told what happened, not that room is short. */
async function requireSameVm(tx: Tx, vm: VmForIntent): Promise<void> {
  if ((await findVmForIntent(tx, vm.vmId))?.generation !== vm.generation) throw overtaken();
}

const overtaken = (): DomainError =>
  new DomainError('conflict_state', 'another request for this VM came in between; look at it anew');

async function inputOf(tx: Tx, { vm }: Movable, { hostId, accelerator }: ProposedHost): Promise<MoveVmInput> {
  const volumes = await findVolumesOfVm(tx, vm.vmId);
  const ids = [vm.imageId, ...mediaIdsOf(vm.hardware.devices.cdroms)];
  const images = await findNeededImages(tx, [...new Set(ids)]);
  const own = images.find(({ imageId }) => imageId === vm.imageId);
  if (own === undefined) throw new TypeError(`the image of VM ${vm.vmId} has a digest`);
  return {
    ...targetOf({ ...vm, hostId, accelerator }, vm.epoch),
    fromHostId: vm.hostId,
    images,
    volumes: volumes.map(({ volumeId, sizeBytes, role }) => ({
      volumeId,
      sizeBytes,
      imageSha256: role === 'root' ? own.sha256 : null,
    })),
  };
}
