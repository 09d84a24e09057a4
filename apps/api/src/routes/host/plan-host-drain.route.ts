import { planHostDrain } from '@kvorum/control-plane';
import { DrainPlan, DrainPlanRequest, HostId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const planHostDrainRoute = defineRoute({
  method: 'POST',
  url: '/v1/hosts/:hostId/drain/plan',
  operationId: 'planHostDrain',
  tag: 'hosts',
  summary: 'Plan how to empty a host',
  description:
    'The moves in an order in which every step fits, or the VMs that keep the host from being emptied, each with the reason. A dry run: nothing is moved.',
  role: 'operator',
  params: z.object({ hostId: HostId }),
  body: DrainPlanRequest,
  isBodyOptional: true,
  example: { moveCountMax: 20 },
  answer: { status: 200, description: 'The plan, or what stands against one', body: DrainPlan },
  errors: ['not_found', 'forbidden', 'conflict_state'],
  handler: async ({ cp, actor, params, body }) => ({ body: await planHostDrain(cp, actor, params.hostId, body) }),
});
