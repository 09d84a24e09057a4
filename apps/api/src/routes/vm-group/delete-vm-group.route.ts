import { deleteVmGroup } from '@kvorum/control-plane';
import { VmGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteVmGroupRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/vm-groups/:vmGroupId',
  operationId: 'deleteVmGroup',
  tag: 'vm-groups',
  summary: 'Delete a VM group',
  description: 'Refused while VMs are in it.',
  role: 'operator',
  params: z.object({ vmGroupId: VmGroupId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteVmGroup(cp, actor, params.vmGroupId);
    return NOTHING_LEFT;
  },
});
