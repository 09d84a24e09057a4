import {
  type AcceptedOperation,
  DomainError,
  GRACE_MS_DEFAULT,
  newId,
  nextOnRequest,
  type OperationId,
  refusalOf,
  type VmId,
  type VmRequest,
  type VmState,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from './accepted-operation.js';
import { operationDefinitions } from './operation-definitions.js';
import { takeVolumesOfVm } from './pooled-disk.store.js';
import { deletionOf, targetOf } from './target-of-vm.js';
import { findVmForIntent, recordIntent, type VmForIntent } from './vm-intent.store.js';

export interface RequestVmOptions {
  /** Of stop and reboot: how long the guest may take before it is ended hard. */
  readonly graceMs?: number | undefined;
  readonly idempotency?: Idempotency | undefined;
  /** The generation the caller has seen; anything else is precondition_failed. */
  readonly ifMatch?: number | undefined;
}

/** What needs nothing but its name; an update has a body (update-vm.ts), and so has a move (move-vm.ts). */
export type PowerRequest = Exclude<VmRequest, 'update' | 'move'>;

type Decision =
  | { readonly kind: 'change'; readonly state: VmState }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly error: DomainError };

/** Of two requests that race, the loser decides again on what the winner made; a third round is a fourth request. */
const ROUNDS_MAX = 5;

/**
 * Asks something of a VM. A request that changes nothing (start of one that runs) gives the last operation. Throws
 * conflict_state with what is possible instead, precondition_failed, not_found.
 */
export async function requestVm(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: PowerRequest,
  options: RequestVmOptions = {},
): Promise<AcceptedOperation> {
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const answer = await withTransaction(cp.database, (tx) =>
      decideAndRecord(tx, cp, actor, vmId, request, options),
    ).catch((error: unknown) => {
      if (error instanceof LostRace) return null;
      throw error;
    });
    if (answer === null) continue;
    if (answer.isNew) await ringBell(cp, answer.operationId);
    return acceptedOperation(cp.database, answer.operationId, vmId);
  }
  throw new DomainError(
    'conflict_state',
    'other requests for this VM came in between again and again; look at it anew',
  );
}

/** Rolls the transaction back, its idempotency key included. */
class LostRace extends Error {}

interface Answer {
  readonly operationId: string;
  readonly isNew: boolean;
}

async function decideAndRecord(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: VmRequest,
  options: RequestVmOptions,
): Promise<Answer> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  const decision = decide(vm, request, options);
  const operationId = decision.kind === 'unchanged' && vm.operationId !== null ? vm.operationId : newId<OperationId>();
  // Before a refusal is given: the same request may have been accepted earlier, and that is then the answer.
  const answer = { status: ACCEPTED_STATUS, resourceId: vmId, operationId };
  const stored = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
  if (stored?.operationId != null) return { operationId: stored.operationId, isNew: false };
  if (decision.kind === 'refused') throw decision.error;
  if (decision.kind === 'unchanged') return { operationId, isNew: false };
  return record(tx, cp, actor, vm, { request, state: decision.state, operationId, graceMs: options.graceMs });
}

function decide(vm: VmForIntent, request: VmRequest, { ifMatch }: RequestVmOptions): Decision {
  if (vm.isDeleted && request !== 'delete') return { kind: 'refused', error: notFound('the VM') };
  if (ifMatch !== undefined && ifMatch !== vm.generation) {
    const error = new DomainError('precondition_failed', `the VM is at generation ${vm.generation}`, {
      details: { generation: vm.generation },
    });
    return { kind: 'refused', error };
  }
  const state = nextOnRequest(vm.state, request);
  if (state === null) return refused(vm, refusalOf(vm.state, request));
  if (state === vm.state) return { kind: 'unchanged' };
  if (request !== 'delete' && !vm.holdsResources) return refused(vm, 'the VM was never created; delete it');
  return { kind: 'change', state };
}

const refused = (vm: VmForIntent, message: string): Decision => ({
  kind: 'refused',
  error: new DomainError('conflict_state', message, { details: { state: vm.state, operationId: vm.operationId } }),
});

/** These begin a new run of the guest. */
const NEW_RUN: readonly VmRequest[] = ['start', 'reboot'];

async function record(
  tx: Tx,
  cp: ControlPlane,
  actor: Actor,
  vm: VmForIntent,
  intent: { request: VmRequest; state: VmState; operationId: string; graceMs: number | undefined },
): Promise<Answer> {
  const { request, state, operationId } = intent;
  const epoch = NEW_RUN.includes(request) ? vm.epoch + 1 : vm.epoch;
  const definition = operationDefinitions.get(`vm.${request}`);
  if (definition === undefined) throw new TypeError(`vm.${request} has a definition`);
  // First the guard: it locks the row, and what follows is only written by the one who passes it.
  if (!(await recordIntent(tx, vm, { request, state, epoch, operationId }))) throw new LostRace();
  const pooledVolumes = await takeVolumesOfVm(tx, vm.vmId, { isNewRun: NEW_RUN.includes(request) });
  await recordOperation(tx, {
    definition,
    input: {
      ...(request === 'delete'
        ? deletionOf(vm, epoch)
        : // A new run is of what the VM was to become.
          targetOf(NEW_RUN.includes(request) && vm.nextShape !== null ? { ...vm, ...vm.nextShape } : vm, epoch)),
      graceMs: intent.graceMs ?? GRACE_MS_DEFAULT,
      isOnHost: vm.holdsResources,
      pooledVolumes,
    },
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vm.vmId,
    createdBy: actor.tokenName,
    now: cp.clock(),
    operationId: operationId as OperationId,
  });
  await recordEvent(tx, {
    type: 'vm.state',
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vm.vmId,
    data: { from: vm.state, to: state, request, operationId },
  });
  return { operationId, isNew: true };
}
