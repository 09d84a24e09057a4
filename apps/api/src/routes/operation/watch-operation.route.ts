import { getOperation } from '@kvorum/control-plane';
import { OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { defineStream } from '../../define-route.js';
import { watchOperation } from '../../watch-operation.js';

export const watchOperationRoute = defineStream({
  method: 'GET',
  url: '/v1/operations/:operationId/watch',
  operationId: 'watchOperation',
  tag: 'operations',
  summary: 'Watch an operation',
  description:
    'Server-sent events: `operation` (an Operation; the first event is its present state) at each change, `progress` (a Progress) in between. Ends when the operation has ended.',
  role: 'viewer',
  params: z.object({ operationId: OperationId }),
  answer: { status: 200, description: 'Events until the operation has ended', stream: 'text/event-stream' },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => {
    const first = await getOperation(cp, actor, params.operationId);
    return { open: (signal) => watchOperation(cp, actor, first, signal) };
  },
});
