import { planVmUpdate, updateVm } from '@kvorum/control-plane';
import { AcceptedOperation, UpdateVmQuery, UpdateVmRequest, VmId, VmUpdatePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateVmRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/vms/:vmId',
  operationId: 'updateVm',
  tag: 'vms',
  summary: 'Change a VM',
  description:
    'Makes the VM what the body says: at once where the running machine can be changed, otherwise at its next start (`pendingChanges`). `?dryRun=plan` says which, field by field, and changes nothing.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  query: UpdateVmQuery,
  body: UpdateVmRequest,
  example: { vcpuCount: 4, memoryBytes: 4_294_967_296 },
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VmUpdatePlan },
  errors: ['already_exists', 'conflict_state', 'quota_exceeded', 'no_capacity'],
  handler: async ({ cp, actor, params, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVmUpdate(cp, actor, params.vmId, body, options))
      : accepted(await updateVm(cp, actor, params.vmId, body, options)),
});
