import { listSecurityGroups } from '@kvorum/control-plane';
import { ListSecurityGroupsQuery, pageOf, SecurityGroup } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listSecurityGroupsRoute = defineRoute({
  method: 'GET',
  url: '/v1/security-groups',
  operationId: 'listSecurityGroups',
  tag: 'security-groups',
  summary: 'List security groups',
  description: 'Those of the projects the token sees, with their rules.',
  role: 'viewer',
  query: ListSecurityGroupsQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(SecurityGroup, 'SecurityGroup') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listSecurityGroups(cp, actor, query) }),
});
