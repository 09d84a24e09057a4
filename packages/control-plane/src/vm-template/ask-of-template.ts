import {
  type AcceptedOperation,
  newId,
  type OperationId,
  type VmTemplateId,
  type VmTemplatePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { findHost } from '../host/host.store.js';
import type { OperationDefinition } from '../operations/define-operation.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { stepsOfPlan } from '../operations/plan-of-steps.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from '../vm/accepted-operation.js';
import type { VmServices } from '../vm/vm-operation.js';

/** What a request on a template comes to, once everything that may refuse it has been asked. */
export interface AskedOfTemplate<Input> {
  readonly definition: OperationDefinition<Input, VmServices>;
  readonly input: Input;
  readonly projectId: string;
  readonly hostId: string;
  readonly memoryBytes: number;
}

type Decide<Input> = (tx: Tx, operationId: OperationId) => Promise<AskedOfTemplate<Input>>;

/** `decide` takes what the request needs, in the transaction that records its operation: all of it or nothing. */
export async function askOfTemplate<Input>(
  cp: ControlPlane,
  actor: Actor,
  templateId: VmTemplateId,
  { idempotency }: { readonly idempotency?: Idempotency | undefined },
  decide: Decide<Input>,
): Promise<AcceptedOperation> {
  const operationId = newId<OperationId>();
  const before = await withTransaction(cp.database, async (tx) => {
    const answer = { status: ACCEPTED_STATUS, resourceId: templateId, operationId };
    const stored = await claimIdempotencyKey(tx, actor.tokenId, idempotency, answer);
    if (stored !== null) return stored;
    const { definition, input, projectId } = await decide(tx, operationId);
    await recordOperation(tx, {
      ...{ definition, input, projectId, operationId, now: cp.clock() },
      resourceKind: 'vm-template',
      resourceId: templateId,
      createdBy: actor.tokenName,
    });
    return null;
  });
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  await ringBell(cp, operationId);
  return acceptedOperation(cp.database, operationId, templateId);
}

/** Rolls back what was done to find out whether it can be done. */
class Planned extends Error {
  constructor(readonly plan: VmTemplatePlan) {
    super('nothing was to be done');
  }
}

/** What `askOfTemplate` would do, with the same refusals: it is done, and rolled back. */
export async function planOfTemplate<Input>(cp: ControlPlane, decide: Decide<Input>): Promise<VmTemplatePlan> {
  try {
    return await withTransaction(cp.database, async (tx) => {
      const { definition, hostId, memoryBytes } = await decide(tx, newId<OperationId>());
      const host = await findHost(tx, hostId);
      if (host === null) throw new TypeError(`host ${hostId} of a template has a row`);
      const steps = stepsOfPlan(definition.steps);
      throw new Planned({ operation: definition.kind, steps, hostId: host.id, hostName: host.name, memoryBytes });
    });
  } catch (error) {
    if (error instanceof Planned) return error.plan;
    throw error;
  }
}
