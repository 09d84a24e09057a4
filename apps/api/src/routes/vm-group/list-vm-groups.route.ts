import { listVmGroups } from '@kvorum/control-plane';
import { ListVmGroupsQuery, pageOf, VmGroup } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listVmGroupsRoute = defineRoute({
  method: 'GET',
  url: '/v1/vm-groups',
  operationId: 'listVmGroups',
  tag: 'vm-groups',
  summary: 'List VM groups',
  description: 'Those of the projects the token sees, with their rules.',
  role: 'viewer',
  query: ListVmGroupsQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(VmGroup, 'VmGroup') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listVmGroups(cp, actor, query) }),
});
