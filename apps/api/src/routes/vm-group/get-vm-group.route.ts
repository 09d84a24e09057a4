import { getVmGroup } from '@kvorum/control-plane';
import { VmGroupDetails, VmGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getVmGroupRoute = defineRoute({
  method: 'GET',
  url: '/v1/vm-groups/:vmGroupId',
  operationId: 'getVmGroup',
  tag: 'vm-groups',
  summary: 'Get a VM group',
  description: 'With its rules, and those that its VMs break where they are now.',
  role: 'viewer',
  params: z.object({ vmGroupId: VmGroupId }),
  answer: { status: 200, description: 'As it is now', body: VmGroupDetails, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getVmGroup(cp, actor, params.vmGroupId)),
});
