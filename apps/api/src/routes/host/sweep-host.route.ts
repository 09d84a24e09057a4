import { sweepHost } from '@kvorum/control-plane';
import { HostId, HostSweep } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const sweepHostRoute = defineRoute({
  method: 'POST',
  url: '/v1/hosts/:hostId/sweep',
  operationId: 'sweepHost',
  tag: 'hosts',
  summary: 'Look at a host for what belongs to nobody',
  description:
    'As is done each hour. Data of nobody is put into quarantine on the host, what carries none is removed. What was changed within the last hour is left alone.',
  role: 'operator',
  params: z.object({ hostId: HostId }),
  answer: { status: 200, description: 'What there is now, and what was removed', body: HostSweep },
  errors: ['not_found', 'host_unreachable'],
  handler: async ({ cp, actor, params }) => ({ body: await sweepHost(cp, actor, params.hostId) }),
});
