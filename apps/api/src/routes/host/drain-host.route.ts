import { drainHost } from '@kvorum/control-plane';
import { AcceptedOperation, DrainPlanRequest, HostId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const drainHostRoute = defineRoute({
  method: 'POST',
  url: '/v1/hosts/:hostId/drain',
  operationId: 'drainHost',
  tag: 'hosts',
  summary: 'Empty a host',
  description:
    'Plans as `drain/plan` does, and carries the plan out. The host must be cordoned. Refused while VMs run on it that would have to move: they are named.',
  role: 'admin',
  params: z.object({ hostId: HostId }),
  body: DrainPlanRequest,
  isBodyOptional: true,
  example: { moveCountMax: 20 },
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['not_found', 'forbidden', 'conflict_state'],
  handler: async ({ cp, actor, params, body, options }) =>
    accepted(await drainHost(cp, actor, params.hostId, body, options)),
});
