import { listNetworks } from '@kvorum/control-plane';
import { ListNetworksQuery, Network, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listNetworksRoute = defineRoute({
  method: 'GET',
  url: '/v1/networks',
  operationId: 'listNetworks',
  tag: 'networks',
  summary: 'List networks',
  description: 'Those of the projects the token sees.',
  role: 'viewer',
  query: ListNetworksQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(Network, 'Network') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listNetworks(cp, actor, query) }),
});
