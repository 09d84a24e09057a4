import { getFloatingRange } from '@kvorum/control-plane';
import { FloatingRange, FloatingRangeId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getFloatingRangeRoute = defineRoute({
  method: 'GET',
  url: '/v1/floating-ranges/:rangeId',
  operationId: 'getFloatingRange',
  tag: 'floating-addresses',
  summary: 'Get a range of floating addresses',
  description: 'With how many of them projects have.',
  role: 'viewer',
  params: z.object({ rangeId: FloatingRangeId }),
  answer: { status: 200, description: 'As it is now', body: FloatingRange },
  errors: ['not_found'],
  handler: async ({ cp, params }) => ({ body: await getFloatingRange(cp, params.rangeId) }),
});
