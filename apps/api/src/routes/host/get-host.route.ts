import { getHost } from '@kvorum/control-plane';
import { Host, HostId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getHostRoute = defineRoute({
  method: 'GET',
  url: '/v1/hosts/:hostId',
  operationId: 'getHost',
  tag: 'hosts',
  summary: 'Get a host',
  description: 'With the facts its agent reports. Needs a token for the whole site.',
  role: 'viewer',
  params: z.object({ hostId: HostId }),
  answer: { status: 200, description: 'The host', body: Host, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getHost(cp, actor, params.hostId)),
});
