import { listHosts } from '@kvorum/control-plane';
import { Host, ListHostsQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listHostsRoute = defineRoute({
  method: 'GET',
  url: '/v1/hosts',
  operationId: 'listHosts',
  tag: 'hosts',
  summary: 'List hosts',
  description: 'Needs a token for the whole site.',
  role: 'viewer',
  query: ListHostsQuery,
  answer: { status: 200, description: 'A page of hosts', body: pageOf(Host, 'Host') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listHosts(cp, actor, query) }),
});
