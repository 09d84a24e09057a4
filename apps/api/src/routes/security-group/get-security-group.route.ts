import { getSecurityGroup } from '@kvorum/control-plane';
import { SecurityGroup, SecurityGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getSecurityGroupRoute = defineRoute({
  method: 'GET',
  url: '/v1/security-groups/:securityGroupId',
  operationId: 'getSecurityGroup',
  tag: 'security-groups',
  summary: 'Get a security group',
  description: 'With its rules.',
  role: 'viewer',
  params: z.object({ securityGroupId: SecurityGroupId }),
  answer: { status: 200, description: 'As it is now', body: SecurityGroup, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getSecurityGroup(cp, actor, params.securityGroupId)),
});
