import { getOperation } from '@kvorum/control-plane';
import { Operation, OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getOperationRoute = defineRoute({
  method: 'GET',
  url: '/v1/operations/:operationId',
  operationId: 'getOperation',
  tag: 'operations',
  summary: 'Get an operation',
  description: 'With the state of each step.',
  role: 'viewer',
  params: z.object({ operationId: OperationId }),
  answer: { status: 200, description: 'The operation', body: Operation },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await getOperation(cp, actor, params.operationId) }),
});
