import { createSecurityGroup } from '@kvorum/control-plane';
import { CreateSecurityGroupRequest, SecurityGroup } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createSecurityGroupRoute = defineRoute({
  method: 'POST',
  url: '/v1/security-groups',
  operationId: 'createSecurityGroup',
  tag: 'security-groups',
  summary: 'Create a security group',
  description:
    'What ports that have it may be reached by, and may reach. Rules allow; what no rule of a port allows is dropped.',
  role: 'operator',
  body: CreateSecurityGroupRequest,
  example: { name: 'web', rules: [{ direction: 'ingress', protocol: 'tcp', portMin: 443 }] },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'What was made', body: SecurityGroup, headers: ['etag', 'location'] },
  errors: ['not_found', 'already_exists', 'quota_exceeded'],
  handler: async ({ cp, actor, body, options }) => {
    const group = await createSecurityGroup(cp, actor, body, options);
    return versioned(group, `/v1/security-groups/${group.id}`);
  },
});
