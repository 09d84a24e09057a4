import { deleteHostGroup } from '@kvorum/control-plane';
import { HostGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteHostGroupRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/host-groups/:hostGroupId',
  operationId: 'deleteHostGroup',
  tag: 'host-groups',
  summary: 'Delete a host group',
  description: 'Refused while hosts are in it.',
  role: 'admin',
  params: z.object({ hostGroupId: HostGroupId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteHostGroup(cp, actor, params.hostGroupId);
    return NOTHING_LEFT;
  },
});
