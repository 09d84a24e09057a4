import { type Move, planDrain, planRebalance, type Step } from '@kvorum/scheduler';
import {
  DomainError,
  type DrainPlan,
  type DrainPlanRequest,
  type HostId,
  type RebalancePlan,
  type RebalancePlanRequest,
  type VmId,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { findHost } from '../host/host.store.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { type PopulatedFleet, readPopulatedFleet } from './populated-fleet.store.js';

/** The search runs in the process that answers requests: so many states are some hundred milliseconds. */
const DRAIN_STATE_COUNT_MAX = 500;
const NO_COST = { moveCount: 0, memoryBytes: 0, diskBytes: 0 };

/**
 * The moves that would empty a host, or what keeps it from being emptied. Nothing is moved. Throws not_found, forbidden,
 * conflict_state for a revoked host.
 */
export async function planHostDrain(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  hostId: HostId,
  { moveCountMax }: DrainPlanRequest,
): Promise<DrainPlan> {
  requireWholeSite(actor);
  const host = await findHost(cp.database, hostId);
  if (host === null) throw notFound('the host');
  const populated = await readPopulatedFleet(cp.database);
  if (populated.fleet.indexOf(hostId) < 0) {
    throw new DomainError('conflict_state', `the host is ${host.state}; nothing is known to move from it`);
  }
  const plan = planDrain(populated.fleet, hostId, { moveCountMax, stateCountMax: DRAIN_STATE_COUNT_MAX });
  switch (plan.kind) {
    case 'nothing-to-do':
      return { outcome: 'nothing-to-do', steps: [], cost: NO_COST, blockers: [], isProven: true };
    case 'plan':
      return { outcome: 'plan', steps: stepsOf(populated, plan.steps), cost: plan.cost, blockers: [], isProven: true };
    case 'blocked':
      return {
        outcome: 'blocked',
        steps: [],
        cost: NO_COST,
        blockers: plan.blockers.map(({ vmId, reason }) => ({
          vmId: (vmId || null) as VmId | null,
          vmName: populated.vmNames.get(vmId) ?? null,
          reason,
        })),
        isProven: plan.isProven,
      };
  }
}

/** The moves that would make the fleet even, or empty hosts of it. Nothing is moved. Throws forbidden. */
export async function planFleetRebalance(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  request: RebalancePlanRequest,
): Promise<RebalancePlan> {
  requireWholeSite(actor);
  const populated = await readPopulatedFleet(cp.database);
  const plan = planRebalance(populated.fleet, request);
  if (plan.kind === 'good-enough') {
    const { reason, now } = plan;
    return { outcome: 'good-enough', reason, steps: [], cost: NO_COST, before: now, after: now };
  }
  const { steps, cost, before, after } = plan;
  return { outcome: 'plan', reason: null, steps: stepsOf(populated, steps), cost, before, after };
}

const stepsOf = (populated: PopulatedFleet, steps: readonly Step[]): DrainPlan['steps'] =>
  steps.map(({ moves }) => ({ moves: moves.map((move) => plannedMove(populated, move)) }));

function plannedMove({ fleet, vmNames }: PopulatedFleet, move: Move): DrainPlan['steps'][number]['moves'][number] {
  const hostName = (hostId: string): string => fleet.names[fleet.indexOf(hostId)] ?? '';
  return {
    vmId: move.vmId as VmId,
    vmName: vmNames.get(move.vmId) ?? '',
    fromHostId: move.fromHostId as HostId,
    fromHostName: hostName(move.fromHostId),
    toHostId: move.toHostId as HostId,
    toHostName: hostName(move.toHostId),
    how: move.how,
    reason: move.reason,
    ...move.cost,
  };
}
