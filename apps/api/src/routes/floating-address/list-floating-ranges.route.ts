import { listFloatingRanges } from '@kvorum/control-plane';
import { FloatingRange, ListFloatingRangesQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listFloatingRangesRoute = defineRoute({
  method: 'GET',
  url: '/v1/floating-ranges',
  operationId: 'listFloatingRanges',
  tag: 'floating-addresses',
  summary: 'List ranges of floating addresses',
  description: 'They are of the site: every project can have addresses of them.',
  role: 'viewer',
  query: ListFloatingRangesQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(FloatingRange, 'FloatingRange') },
  errors: [],
  handler: async ({ cp, query }) => ({ body: await listFloatingRanges(cp, query) }),
});
