import { listOperations } from '@kvorum/control-plane';
import { ListOperationsQuery, Operation, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listOperationsRoute = defineRoute({
  method: 'GET',
  url: '/v1/operations',
  operationId: 'listOperations',
  tag: 'operations',
  summary: 'List operations',
  description: 'With their steps, newest last.',
  role: 'viewer',
  query: ListOperationsQuery,
  answer: { status: 200, description: 'A page of operations', body: pageOf(Operation, 'Operation') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listOperations(cp, actor, query) }),
});
