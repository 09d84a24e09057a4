import { thawVm } from '@kvorum/control-plane';
import { ThawedVm, ThawVmRequest, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const thawVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/thaw',
  operationId: 'thawVm',
  tag: 'vms',
  summary: 'Let the file systems of a guest go on',
  description: 'Thaws whatever is frozen. Asking again changes nothing.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  body: ThawVmRequest,
  isBodyOptional: true,
  answer: { status: 200, description: 'Thawed', body: ThawedVm },
  errors: [
    'not_found',
    'conflict_state',
    'guest_agent_failed',
    'host_unreachable',
    'host_fault',
    'host_not_trusted',
    'guest_fault',
  ],
  example: { freezeId: '0b6f4a52-6f0e-4a8e-9d5c-0d5a3c1f7e21' },
  handler: async ({ cp, actor, params, body }) => ({
    body: await thawVm(cp, actor, params.vmId, body.freezeId ?? null),
  }),
});
