import { rebalanceFleet } from '@kvorum/control-plane';
import { AcceptedOperation, RebalancePlanRequest } from '@kvorum/schema';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const rebalanceFleetRoute = defineRoute({
  method: 'POST',
  url: '/v1/rebalance',
  operationId: 'rebalanceFleet',
  tag: 'hosts',
  summary: 'Make the fleet even, or empty hosts of it',
  description:
    'Plans as `rebalance/plan` does, and carries the plan out. Refused while VMs run that would have to move: they are named.',
  role: 'admin',
  body: RebalancePlanRequest,
  isBodyOptional: true,
  example: { goal: 'even' },
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['forbidden', 'conflict_state'],
  handler: async ({ cp, actor, body, options }) => accepted(await rebalanceFleet(cp, actor, body, options)),
});
