import { cordonHost } from '@kvorum/control-plane';
import { CordonHostRequest, Host, HostId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const cordonHostRoute = defineRoute({
  method: 'POST',
  url: '/v1/hosts/:hostId/cordon',
  operationId: 'cordonHost',
  tag: 'hosts',
  summary: 'Cordon a host',
  description: 'No new VMs are placed on it. Those that are there stay and run on.',
  role: 'admin',
  params: z.object({ hostId: HostId }),
  body: CordonHostRequest,
  isBodyOptional: true,
  example: { reason: 'new memory on Tuesday' },
  honours: ['if-match'],
  answer: { status: 200, description: 'The host as it is now', body: Host, headers: ['etag'] },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await cordonHost(cp, actor, params.hostId, body.reason, options)),
});
