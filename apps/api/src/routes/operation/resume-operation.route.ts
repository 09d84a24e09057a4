import { resumeOperation } from '@kvorum/control-plane';
import { Operation, OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const resumeOperationRoute = defineRoute({
  method: 'POST',
  url: '/v1/operations/:operationId/resume',
  operationId: 'resumeOperation',
  tag: 'operations',
  summary: 'Resume a stuck operation',
  description: 'Goes on where it stopped, forwards or backwards, with fresh time limits.',
  role: 'operator',
  params: z.object({ operationId: OperationId }),
  answer: { status: 200, description: 'The operation as it is now', body: Operation },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params }) => ({ body: await resumeOperation(cp, actor, params.operationId) }),
});
