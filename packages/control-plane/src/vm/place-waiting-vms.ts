import { DomainError, newId, toStoredError } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { withFloatingTrait } from '../floating-address/with-floating-trait.js';
import type { Proposal } from '../host/fleet-snapshot.js';
import { reserve } from '../host/reservation.store.js';
import { findOperation, markUnwinding } from '../operations/operation.store.js';
import { insertPlacement } from '../placement/placement.store.js';
import { summaryOfCounts } from '../placement/shown-decision.js';
import { takeQuota } from '../project/project.store.js';
import { findBrokenRule } from '../vm-group/find-broken-rule.js';
import { type ProposedHost, RoomLost } from './place-vm.js';
import { requestOfVm } from './request-of-vm.js';
import { bindVmToHost, findWaits, noteWaitReason, takeOverdueWaits, takeWait, type Wait } from './waiting-vm.store.js';

type Parts = Pick<ControlPlane, 'database' | 'fleet' | 'bell'>;

/**
 * Goes through the queue once: ends the waits whose time is over, with the reason why there was no room, and places every
 * VM that fits now, first those that come first. One that does not fit keeps no other from being placed. Several processes
 * may do so at once. Returns how many were placed.
 */
export async function placeWaitingVms(cp: Parts): Promise<number> {
  await endOverdueWaits(cp);
  let placedCount = 0;
  // What has changed in the fleet since the last pass is read once, with the first.
  let age: 'fresh' | 'recent' = 'fresh';
  for (const wait of await findWaits(cp.database)) {
    if (await placeWaiting(cp, wait, age)) placedCount += 1;
    age = 'recent';
  }
  return placedCount;
}

async function endOverdueWaits(cp: Parts): Promise<void> {
  const ended = await withTransaction(cp.database, async (tx) => {
    const overdue = await takeOverdueWaits(tx);
    for (const { operationId, reason } of overdue) {
      const row = await findOperation(tx, operationId);
      if (row === null) throw new TypeError(`operation ${operationId} is locked, so it has a row`);
      const cause = new DomainError('no_capacity', `there was no room until the deadline: ${reason}`);
      await markUnwinding(tx, row, toStoredError(cause));
    }
    return overdue;
  });
  for (const { operationId } of ended) await cp.bell.ring(operationId);
}

async function placeWaiting(cp: Parts, wait: Wait, age: 'fresh' | 'recent'): Promise<boolean> {
  const { request, diskBytes } = wait;
  const asked = { ...requestOfVm(request, wait, diskBytes), hostId: request.hostId ?? null };
  const wanted = await withFloatingTrait(cp.database, request, asked);
  const proposal = await cp.fleet.propose(wait.vmId, wanted, age);
  if (proposal.kind === 'refused') {
    await noteReason(cp, wait, reasonOf(proposal));
    return false;
  }
  let end: 'kept' | 'given up' = 'given up';
  try {
    const isPlaced = await withTransaction(cp.database, (tx) => claim(tx, wait, proposal));
    if (!isPlaced) return false;
    end = 'kept';
  } catch (error) {
    if (error instanceof RoomLost) return false;
    if (!(error instanceof DomainError && error.code === 'quota_exceeded')) throw error;
    await noteReason(cp, wait, error.message);
    return false;
  } finally {
    proposal.settle(end);
  }
  await cp.bell.ring(wait.operationId);
  return true;
}

export const reasonOf = ({ record }: Extract<Proposal, { kind: 'refused' }>): string => summaryOfCounts(record);

const noteReason = async (cp: Parts, wait: Wait, reason: string): Promise<void> => {
  if (reason !== wait.reason) await noteWaitReason(cp.database, wait.operationId, reason);
};

/** Locks operation, project, VM group and host, in this order. False: somebody else has decided on it. */
async function claim(tx: Tx, wait: Wait, proposed: ProposedHost): Promise<boolean> {
  const { operationId, vmId, projectId, vmName, requestedBy, request } = wait;
  const { hostId, accelerator, record, evidence } = proposed;
  if (!(await takeWait(tx, operationId, { hostId, accelerator }))) return false;
  await bindVmToHost(tx, vmId, { hostId, accelerator });
  await insertPlacement(tx, { id: newId(), projectId, vmId, vmName, requestedBy, record, evidence });
  const data = { hostId, operationId };
  await recordEvent(tx, { type: 'vm.placed', projectId, resourceKind: 'vm', resourceId: vmId, data });
  const { vcpuCount, memoryBytes, diskBytes } = wait;
  // The VM itself was counted when it began to wait.
  if (!(await takeQuota(tx, projectId, { vmCount: 0, vcpuCount, memoryBytes, diskBytes }))) {
    throw new DomainError('quota_exceeded', 'there is room, but the project has not enough quota');
  }
  const { vmGroupId } = request;
  if (vmGroupId !== undefined && (await findBrokenRule(tx, [{ vmId, vmGroupId, hostId }])) !== null)
    throw new RoomLost();
  const room = {
    ...requestOfVm(request, wait, diskBytes),
    vmId,
    hostId,
    accelerator,
    smt: request.hardware.cpuPolicy.smt,
  };
  if (!(await reserve(tx, [room]))) throw new RoomLost();
  return true;
}
