import { updateSecurityGroup } from '@kvorum/control-plane';
import { SecurityGroup, SecurityGroupId, UpdateSecurityGroupRequest } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateSecurityGroupRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/security-groups/:securityGroupId',
  operationId: 'updateSecurityGroup',
  tag: 'security-groups',
  summary: 'Change a security group',
  description: 'Its name and its description; `rules` replaces all that it has.',
  role: 'operator',
  params: z.object({ securityGroupId: SecurityGroupId }),
  body: UpdateSecurityGroupRequest,
  example: { rules: [] },
  honours: ['if-match'],
  answer: { status: 200, description: 'As it is now', body: SecurityGroup, headers: ['etag'] },
  errors: ['not_found', 'already_exists'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updateSecurityGroup(cp, actor, params.securityGroupId, body, options)),
});
