import { listFloatingAddresses } from '@kvorum/control-plane';
import { FloatingAddress, ListFloatingAddressesQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listFloatingAddressesRoute = defineRoute({
  method: 'GET',
  url: '/v1/floating-addresses',
  operationId: 'listFloatingAddresses',
  tag: 'floating-addresses',
  summary: 'List floating addresses',
  description: 'Those of the projects the token sees.',
  role: 'viewer',
  query: ListFloatingAddressesQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(FloatingAddress, 'FloatingAddress') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listFloatingAddresses(cp, actor, query) }),
});
