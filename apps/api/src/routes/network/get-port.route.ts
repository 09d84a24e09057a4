import { getPort } from '@kvorum/control-plane';
import { Port, PortId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getPortRoute = defineRoute({
  method: 'GET',
  url: '/v1/ports/:portId',
  operationId: 'getPort',
  tag: 'networks',
  summary: 'Get a port',
  description: 'With its addresses and security groups.',
  role: 'viewer',
  params: z.object({ portId: PortId }),
  answer: { status: 200, description: 'As it is now', body: Port, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getPort(cp, actor, params.portId)),
});
