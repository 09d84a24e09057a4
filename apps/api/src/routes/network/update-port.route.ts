import { updatePort } from '@kvorum/control-plane';
import { Port, PortId, UpdatePortRequest } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updatePortRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/ports/:portId',
  operationId: 'updatePort',
  tag: 'networks',
  summary: 'Change a port',
  description: 'The VM it is for, and its security groups.',
  role: 'operator',
  params: z.object({ portId: PortId }),
  body: UpdatePortRequest,
  example: { securityGroupIds: ['019a0000-0000-7000-8000-000000000001'] },
  honours: ['if-match'],
  answer: { status: 200, description: 'As it is now', body: Port, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updatePort(cp, actor, params.portId, body, options)),
});
