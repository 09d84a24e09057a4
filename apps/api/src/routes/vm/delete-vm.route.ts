import { requestVm } from '@kvorum/control-plane';
import { AcceptedOperation, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteVmRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/vms/:vmId',
  operationId: 'deleteVm',
  tag: 'vms',
  summary: 'Delete a VM',
  description: 'Stops it hard if it runs, and removes its disks. There is no way back.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['not_found', 'conflict_state', 'stale_generation'],
  handler: async ({ cp, actor, params, options }) =>
    accepted(await requestVm(cp, actor, params.vmId, 'delete', options)),
});
