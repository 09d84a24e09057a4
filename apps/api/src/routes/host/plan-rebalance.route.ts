import { planFleetRebalance } from '@kvorum/control-plane';
import { RebalancePlan, RebalancePlanRequest } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const planRebalanceRoute = defineRoute({
  method: 'POST',
  url: '/v1/rebalance/plan',
  operationId: 'planRebalance',
  tag: 'hosts',
  summary: 'Plan how to make the fleet even, or to empty hosts',
  description:
    'The moves in an order in which every step fits, each with its reason and cost, or why none is worth it. A dry run: nothing is moved.',
  role: 'operator',
  body: RebalancePlanRequest,
  isBodyOptional: true,
  example: { goal: 'even', moveCountMax: 10 },
  answer: { status: 200, description: 'The plan', body: RebalancePlan },
  errors: ['forbidden'],
  handler: async ({ cp, actor, body }) => ({ body: await planFleetRebalance(cp, actor, body) }),
});
