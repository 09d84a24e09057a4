import { listFlavors } from '@kvorum/control-plane';
import { Flavor, ListFlavorsQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listFlavorsRoute = defineRoute({
  method: 'GET',
  url: '/v1/flavors',
  operationId: 'listFlavors',
  tag: 'flavors',
  summary: 'List flavors',
  description: 'The sizes in which VMs come.',
  role: 'viewer',
  query: ListFlavorsQuery,
  answer: { status: 200, description: 'A page of flavors', body: pageOf(Flavor, 'Flavor') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listFlavors(cp, actor, query) }),
});
