import { type AcceptedOperation, newId, type Operation, type OperationId, type VolumePlan } from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import type { OperationDefinition } from '../operations/define-operation.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { stepsOfPlan } from '../operations/plan-of-steps.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from '../vm/accepted-operation.js';
import type { VolumeServices } from './volume-operation.js';

export interface VolumeRequestOptions {
  readonly idempotency?: Idempotency | undefined;
  /** The generation the caller has seen; anything else is precondition_failed. */
  readonly ifMatch?: number | undefined;
}

/** What a request on volumes comes to, once everything that may refuse it has been asked. */
export interface AskedOfVolumes<Input> {
  readonly definition: OperationDefinition<Input, VolumeServices>;
  readonly input: Input;
  readonly projectId: string;
  readonly volumes: VolumePlan['volumes'];
  readonly diskBytesTaken: number;
}

type Decide<Input> = (tx: Tx, operationId: OperationId) => Promise<AskedOfVolumes<Input>>;
interface Resource {
  readonly kind: Extract<Operation['resourceKind'], 'volume' | 'volume-snapshot'>;
  readonly id: string;
}

/** `decide` takes what the request needs, in the transaction that records its operation: all of it or nothing. */
export async function askOfVolumes<Input>(
  cp: ControlPlane,
  actor: Actor,
  resource: Resource,
  options: VolumeRequestOptions,
  decide: Decide<Input>,
): Promise<AcceptedOperation> {
  const operationId = newId<OperationId>();
  const before = await withTransaction(cp.database, async (tx) => {
    const answer = { status: ACCEPTED_STATUS, resourceId: resource.id, operationId };
    const stored = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (stored !== null) return stored;
    const { definition, input, projectId } = await decide(tx, operationId);
    await recordOperation(tx, {
      ...{ definition, input, projectId, operationId, now: cp.clock() },
      resourceKind: resource.kind,
      resourceId: resource.id,
      createdBy: actor.tokenName,
    });
    return null;
  });
  if (before !== null) return acceptedOperation(cp.database, before.operationId, before.resourceId);
  await ringBell(cp, operationId);
  return acceptedOperation(cp.database, operationId, resource.id);
}

/** Rolls back what was done to find out whether it can be done. */
class Planned extends Error {
  constructor(readonly plan: VolumePlan) {
    super('nothing was to be done');
  }
}

/** What `askOfVolumes` would do, with the same refusals: it is done, and rolled back. */
export async function planOfVolumes<Input>(cp: ControlPlane, decide: Decide<Input>): Promise<VolumePlan> {
  try {
    return await withTransaction(cp.database, async (tx) => {
      const { definition, volumes, diskBytesTaken } = await decide(tx, newId<OperationId>());
      const steps = stepsOfPlan(definition.steps);
      throw new Planned({ operation: definition.kind, steps, volumes, diskBytesTaken });
    });
  } catch (error) {
    if (error instanceof Planned) return error.plan;
    throw error;
  }
}
