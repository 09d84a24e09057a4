import { listHostGroups } from '@kvorum/control-plane';
import { HostGroup, ListHostGroupsQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listHostGroupsRoute = defineRoute({
  method: 'GET',
  url: '/v1/host-groups',
  operationId: 'listHostGroups',
  tag: 'host-groups',
  summary: 'List host groups',
  description: 'With their members. Needs a token for the whole site.',
  role: 'viewer',
  query: ListHostGroupsQuery,
  answer: { status: 200, description: 'A page of groups', body: pageOf(HostGroup, 'HostGroup') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listHostGroups(cp, actor, query) }),
});
