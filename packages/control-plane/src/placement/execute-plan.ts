import {
  type AcceptedOperation,
  DomainError,
  type DrainPlan,
  type DrainPlanRequest,
  type HostId,
  newId,
  type OperationId,
  type RebalancePlanRequest,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { findHost } from '../host/host.store.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { notFound } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from '../vm/accepted-operation.js';
import { drainHostOperation, rebalanceFleetOperation } from './execute-plan.operation.js';
import { lockPlans } from './execute-plan.store.js';
import { planFleetRebalance, planHostDrain } from './plan-moves.js';

export interface ExecuteOptions {
  readonly idempotency?: Idempotency | undefined;
}

/**
 * Empties a cordoned host as planHostDrain says. Throws conflict_state for a host that still takes VMs, for one that cannot be
 * emptied, for VMs that run, and while another plan is being carried out; not_found, forbidden.
 */
export async function drainHost(
  cp: ControlPlane,
  actor: Actor,
  hostId: HostId,
  request: DrainPlanRequest,
  options: ExecuteOptions = {},
): Promise<AcceptedOperation> {
  const plan = await planHostDrain(cp, actor, hostId, request);
  const host = await findHost(cp.database, hostId);
  if (host === null) throw notFound('the host');
  if (host.state !== 'cordoned') {
    throw new DomainError(
      'conflict_state',
      `the host is ${host.state}: cordon it first, or new VMs come to it meanwhile`,
    );
  }
  if (plan.outcome === 'blocked') {
    const [first] = plan.blockers;
    throw new DomainError(
      'conflict_state',
      `the host cannot be emptied: ${first?.vmName ?? 'its VMs'}: ${first?.reason}`,
      {
        details: { blockers: plan.blockers },
      },
    );
  }
  return execute(cp, actor, { definition: drainHostOperation, steps: plan.steps, resourceId: hostId }, options);
}

/** Makes the fleet even as planFleetRebalance says. Throws conflict_state as drainHost does; forbidden. */
export async function rebalanceFleet(
  cp: ControlPlane,
  actor: Actor,
  request: RebalancePlanRequest,
  options: ExecuteOptions = {},
): Promise<AcceptedOperation> {
  const { steps } = await planFleetRebalance(cp, actor, request);
  return execute(cp, actor, { definition: rebalanceFleetOperation, steps, resourceId: cp.siteId }, options);
}

interface Plan {
  readonly definition: typeof drainHostOperation;
  readonly steps: DrainPlan['steps'];
  readonly resourceId: string;
}

async function execute(
  cp: ControlPlane,
  actor: Actor,
  { definition, steps, resourceId }: Plan,
  { idempotency }: ExecuteOptions,
): Promise<AcceptedOperation> {
  const operationId = newId<OperationId>();
  const stored = await withTransaction(cp.database, async (tx) => {
    const answer = { status: ACCEPTED_STATUS, resourceId, operationId };
    const before = await claimIdempotencyKey(tx, actor.tokenId, idempotency, answer);
    if (before !== null) return before;
    requireStopped(steps);
    const other = await lockPlans(tx);
    if (other !== null) {
      throw new DomainError('conflict_state', 'another plan is being carried out; wait for it, or cancel it', {
        details: { operationId: other },
      });
    }
    await recordOperation(tx, {
      definition,
      input: { requestedBy: actor.tokenName, steps: steps.map(({ moves }) => moves.map(asInput)) },
      projectId: null,
      resourceKind: definition === drainHostOperation ? 'host' : 'site',
      resourceId,
      createdBy: actor.tokenName,
      now: cp.clock(),
      operationId,
    });
    return null;
  });
  if (stored !== null) return acceptedOperation(cp.database, stored.operationId, stored.resourceId);
  await ringBell(cp, operationId);
  return acceptedOperation(cp.database, operationId, resourceId);
}

type PlannedMove = DrainPlan['steps'][number]['moves'][number];

const asInput = ({ vmId, vmName, toHostId }: PlannedMove) => ({ operationId: newId(), vmId, vmName, toHostId });

/** In the message; `blockers` has all. */
const NAMES_SHOWN = 5;

/** All of the plan or nothing: its steps fit one after the other, and without some of them others might not. */
function requireStopped(steps: DrainPlan['steps']): void {
  const running = steps.flatMap(({ moves }) => moves).filter(({ how }) => how === 'live');
  if (running.length === 0) return;
  const names = running.slice(0, NAMES_SHOWN).map(({ vmName }) => vmName);
  const others = running.length > NAMES_SHOWN ? ` and ${running.length - NAMES_SHOWN} more` : '';
  const message = `stop what would have to move while it runs, which is not possible yet: ${names.join(', ')}${others}`;
  const blockers = running.map(({ vmId, vmName }) => ({ vmId, vmName, reason: 'it runs' }));
  throw new DomainError('conflict_state', message, { details: { blockers } });
}
