import { requestVm } from '@kvorum/control-plane';
import { AcceptedOperation, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const startVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/start',
  operationId: 'startVm',
  tag: 'vms',
  summary: 'Start a VM',
  description: 'On the host it is on. A VM that runs already is left alone.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['not_found', 'conflict_state', 'stale_generation'],
  handler: async ({ cp, actor, params, options }) =>
    accepted(await requestVm(cp, actor, params.vmId, 'start', options)),
});
