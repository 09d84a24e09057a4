import { listWaitingVms } from '@kvorum/control-plane';
import { PlacementQueue, PlacementQueueQuery } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listPlacementQueueRoute = defineRoute({
  method: 'GET',
  url: '/v1/placement-queue',
  operationId: 'listPlacementQueue',
  tag: 'placements',
  summary: 'List VMs that wait for room',
  description:
    'In the order in which they are tried, at most 1,000. A token of one project sees its own, with their place among all.',
  role: 'viewer',
  query: PlacementQueueQuery,
  answer: { status: 200, description: 'The queue', body: PlacementQueue },
  errors: ['not_found'],
  handler: async ({ cp, actor, query }) => ({ body: await listWaitingVms(cp, actor, query) }),
});
