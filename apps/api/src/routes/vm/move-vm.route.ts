import { moveVm, planVmMove } from '@kvorum/control-plane';
import { AcceptedOperation, MoveVmQuery, MoveVmRequest, VmId, VmMovePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const moveVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/move',
  operationId: 'moveVm',
  tag: 'vms',
  summary: 'Move a stopped VM to another host',
  description:
    'With its disks, UEFI variables and TPM, copied from host to host. Until the last step begins it can be cancelled, and nothing has changed then. A VM that runs is refused. `?dryRun=plan` says where it would go.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  query: MoveVmQuery,
  body: MoveVmRequest,
  isBodyOptional: true,
  example: {},
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: where it would go', body: VmMovePlan },
  errors: ['not_found', 'forbidden', 'conflict_state', 'no_capacity'],
  handler: async ({ cp, actor, params, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVmMove(cp, actor, params.vmId, body, options))
      : accepted(await moveVm(cp, actor, params.vmId, body, options)),
});
