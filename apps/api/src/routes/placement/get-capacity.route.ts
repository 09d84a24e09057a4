import { getCapacity } from '@kvorum/control-plane';
import { Capacity, CapacityQuery } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const getCapacityRoute = defineRoute({
  method: 'GET',
  url: '/v1/capacity',
  operationId: 'getCapacity',
  tag: 'placements',
  summary: 'Ask how many more VMs fit',
  description: 'Of one flavor, all of them together, by zone or rack as the labels of hosts say.',
  role: 'viewer',
  query: CapacityQuery,
  answer: { status: 200, description: 'How many more', body: Capacity },
  errors: ['not_found', 'forbidden'],
  handler: async ({ cp, actor, query }) => ({ body: await getCapacity(cp, actor, query) }),
});
