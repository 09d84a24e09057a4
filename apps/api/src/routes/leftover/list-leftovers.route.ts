import { listLeftovers } from '@kvorum/control-plane';
import { Leftover, ListLeftoversQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listLeftoversRoute = defineRoute({
  method: 'GET',
  url: '/v1/leftovers',
  operationId: 'listLeftovers',
  tag: 'hosts',
  summary: 'List what is on hosts and belongs to nobody',
  description:
    'As each host told of it when it was last looked at, which is done each hour. Needs a token for the whole site.',
  role: 'viewer',
  query: ListLeftoversQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(Leftover, 'Leftover') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listLeftovers(cp, actor, query) }),
});
