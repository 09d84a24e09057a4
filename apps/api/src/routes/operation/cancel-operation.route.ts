import { cancelOperation } from '@kvorum/control-plane';
import { Operation, OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const cancelOperationRoute = defineRoute({
  method: 'POST',
  url: '/v1/operations/:operationId/cancel',
  operationId: 'cancelOperation',
  tag: 'operations',
  summary: 'Cancel an operation',
  description: 'What was done is undone. Refused once a step that cannot be undone has begun.',
  role: 'operator',
  params: z.object({ operationId: OperationId }),
  answer: { status: 200, description: 'The operation as it is now', body: Operation },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params }) => ({ body: await cancelOperation(cp, actor, params.operationId) }),
});
