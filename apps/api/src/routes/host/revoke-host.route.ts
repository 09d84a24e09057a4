import { revokeHost } from '@kvorum/control-plane';
import { Host, HostId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const revokeHostRoute = defineRoute({
  method: 'POST',
  url: '/v1/hosts/:hostId/revoke',
  operationId: 'revokeHost',
  tag: 'hosts',
  summary: 'Revoke a host',
  description:
    'Its certificate is refused from now on, by both sides. What runs there is no longer known of. There is no way back but to enrol it anew.',
  role: 'admin',
  params: z.object({ hostId: HostId }),
  answer: { status: 200, description: 'The host as it is now', body: Host, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await revokeHost(cp, actor, params.hostId)),
});
