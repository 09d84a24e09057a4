import { getVm } from '@kvorum/control-plane';
import { Vm, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getVmRoute = defineRoute({
  method: 'GET',
  url: '/v1/vms/:vmId',
  operationId: 'getVm',
  tag: 'vms',
  summary: 'Get a VM',
  description: 'As it is wanted and as its host reports it.',
  role: 'viewer',
  params: z.object({ vmId: VmId }),
  answer: { status: 200, description: 'The vm', body: Vm, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getVm(cp, actor, params.vmId)),
});
