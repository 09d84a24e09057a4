import { deleteSecurityGroup } from '@kvorum/control-plane';
import { SecurityGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteSecurityGroupRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/security-groups/:securityGroupId',
  operationId: 'deleteSecurityGroup',
  tag: 'security-groups',
  summary: 'Delete a security group',
  description: 'Refused while ports have it, or rules of other groups name it.',
  role: 'operator',
  params: z.object({ securityGroupId: SecurityGroupId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteSecurityGroup(cp, actor, params.securityGroupId);
    return NOTHING_LEFT;
  },
});
