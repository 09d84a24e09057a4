import { createPort } from '@kvorum/control-plane';
import { CreatePortRequest, NetworkId, Port } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createPortRoute = defineRoute({
  method: 'POST',
  url: '/v1/networks/:networkId/ports',
  operationId: 'createPort',
  tag: 'networks',
  summary: 'Create a port',
  description:
    'A place on the network, with an address that no other port of it has: the one asked for, or one that is free.',
  role: 'operator',
  params: z.object({ networkId: NetworkId }),
  body: CreatePortRequest,
  example: { name: 'web-1', address: '10.20.0.7' },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'What was made', body: Port, headers: ['etag', 'location'] },
  errors: ['not_found', 'already_exists', 'quota_exceeded'],
  handler: async ({ cp, actor, params, body, options }) => {
    const port = await createPort(cp, actor, params.networkId, body, options);
    return versioned(port, `/v1/ports/${port.id}`);
  },
});
