import { unwindOperation } from '@kvorum/control-plane';
import { Operation, OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const unwindOperationRoute = defineRoute({
  method: 'POST',
  url: '/v1/operations/:operationId/unwind',
  operationId: 'unwindOperation',
  tag: 'operations',
  summary: 'Unwind a stuck or running operation',
  description: 'Undoes what was done. Refused once a step that cannot be undone has begun.',
  role: 'operator',
  params: z.object({ operationId: OperationId }),
  answer: { status: 200, description: 'The operation as it is now', body: Operation },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params }) => ({ body: await unwindOperation(cp, actor, params.operationId) }),
});
