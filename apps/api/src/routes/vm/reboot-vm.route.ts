import { requestVm } from '@kvorum/control-plane';
import { AcceptedOperation, StopVmRequest, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const rebootVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/reboot',
  operationId: 'rebootVm',
  tag: 'vms',
  summary: 'Reboot a VM',
  description: 'Shuts the guest down, as stop does, and starts it again.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  body: StopVmRequest,
  isBodyOptional: true,
  example: { graceMs: 30_000 },
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['not_found', 'conflict_state', 'stale_generation'],
  handler: async ({ cp, actor, params, body, options }) =>
    accepted(await requestVm(cp, actor, params.vmId, 'reboot', { ...options, graceMs: body.graceMs })),
});
