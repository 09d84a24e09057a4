import { type CreateVmRequest, DomainError, newId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKeys, findIdempotentAnswer } from '../operations/idempotency.store.js';
import { findOperation } from '../operations/operation.store.js';
import { toOperation } from '../operations/operation-row.js';
import { insertPlacement } from '../placement/placement.store.js';
import { takeQuota } from '../project/project.store.js';
import { takeAddressesFor } from './claim-addresses.js';
import { type ClaimedVm, holdParts, keyOf, type NewVmClaim, recordVms } from './claim-vms.js';
import type { RefusedPlacement } from './place-vm.js';
import { reasonOf } from './place-waiting-vms.js';
import { insertWait } from './waiting-vm.store.js';

type WaitForCapacity = NonNullable<CreateVmRequest['waitForCapacity']>;

/** Projects share the queue; who goes before all others is for those who run the site to say. */
const PRIORITY_OF_PROJECTS_MAX = 50;

/** Throws forbidden that names the field. */
export function requireWaitRight(actor: Actor, wait: WaitForCapacity | undefined): void {
  if (wait === undefined || wait.priority <= PRIORITY_OF_PROJECTS_MAX || actor.role === 'admin') return;
  const message = `above ${PRIORITY_OF_PROJECTS_MAX} needs the role admin`;
  throw new DomainError('forbidden', `a priority ${message}`, {
    details: { fields: [{ field: 'body.waitForCapacity.priority', message }] },
  });
}

/**
 * Accepts a VM that has no room now: it is recorded without a host, counts as one VM of its project, and its operation
 * waits in the queue. Throws what a claim throws, and unavailable when the queue is full.
 */
export const awaitCapacity = (
  cp: Pick<ControlPlane, 'database'>,
  claim: NewVmClaim,
  refusal: RefusedPlacement,
  wait: WaitForCapacity,
): Promise<ClaimedVm> => withTransaction(cp.database, (tx) => recordWaiting(tx, claim, refusal, wait));

async function recordWaiting(
  tx: Tx,
  claim: NewVmClaim,
  refusal: RefusedPlacement,
  { deadlineMs, priority }: WaitForCapacity,
): Promise<ClaimedVm> {
  const { ids, actor, request, idempotency, now } = claim;
  const { vmId, operationId } = ids;
  if (!(await claimIdempotencyKeys(tx, [keyOf(claim)]))) {
    const stored = await findIdempotentAnswer(tx, actor.tokenId, idempotency);
    if (stored === null) throw new TypeError('a key that another transaction holds has a row');
    return { stored };
  }
  const [held] = await holdParts(tx, [claim]);
  if (held === undefined) throw new TypeError('one claim has one set of parts');
  await recordVms(tx, [held]);
  const projectId = held.parts.project.id;
  const { record, evidence } = refusal;
  const of = { projectId, vmId, vmName: request.name, requestedBy: actor.tokenName };
  await insertPlacement(tx, { id: newId(), ...of, record, evidence });
  const until = new Date(now.getTime() + deadlineMs);
  if (!(await insertWait(tx, { operationId, vmId, projectId, request, priority, until, reason: reasonOf(refusal) }))) {
    throw new DomainError('unavailable', 'too many VMs wait for capacity already; add hosts, or try again later');
  }
  const operation = await findOperation(tx, operationId);
  if (operation === null) throw new TypeError(`operation ${operationId} was recorded`);
  if (!(await takeQuota(tx, projectId, { vmCount: 1, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 }))) {
    throw new DomainError('quota_exceeded', `project ${held.parts.project.name} may not have more VMs`);
  }
  await takeAddressesFor(tx, [held]);
  return { stored: null, operation: toOperation(operation) };
}
