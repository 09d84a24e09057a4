import { deleteFloatingRange } from '@kvorum/control-plane';
import { FloatingRangeId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteFloatingRangeRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/floating-ranges/:rangeId',
  operationId: 'deleteFloatingRange',
  tag: 'floating-addresses',
  summary: 'Delete a range of floating addresses',
  description: 'Refused while projects have addresses of it.',
  role: 'admin',
  params: z.object({ rangeId: FloatingRangeId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'forbidden', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteFloatingRange(cp, actor, params.rangeId);
    return NOTHING_LEFT;
  },
});
