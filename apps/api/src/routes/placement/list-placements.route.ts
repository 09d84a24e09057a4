import { listPlacements } from '@kvorum/control-plane';
import { ListPlacementsQuery, Placement, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listPlacementsRoute = defineRoute({
  method: 'GET',
  url: '/v1/placements',
  operationId: 'listPlacements',
  tag: 'placements',
  summary: 'List decisions of the scheduler',
  description:
    'Newest first: why VMs are where they are, and why requests were refused. Refusals are kept for 14 days, at most 10,000 of them.',
  role: 'viewer',
  query: ListPlacementsQuery,
  answer: { status: 200, description: 'A page of decisions', body: pageOf(Placement, 'Placement') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listPlacements(cp, actor, query) }),
});
