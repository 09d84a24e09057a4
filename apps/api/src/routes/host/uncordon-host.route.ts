import { uncordonHost } from '@kvorum/control-plane';
import { Host, HostId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const uncordonHostRoute = defineRoute({
  method: 'POST',
  url: '/v1/hosts/:hostId/uncordon',
  operationId: 'uncordonHost',
  tag: 'hosts',
  summary: 'Uncordon a host',
  description: 'New VMs may be placed on it again.',
  role: 'admin',
  params: z.object({ hostId: HostId }),
  honours: ['if-match'],
  answer: { status: 200, description: 'The host as it is now', body: Host, headers: ['etag'] },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, options }) => versioned(await uncordonHost(cp, actor, params.hostId, options)),
});
