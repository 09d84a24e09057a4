import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getHealthRoute = defineRoute({
  method: 'GET',
  url: '/healthz',
  operationId: 'getHealth',
  tag: 'meta',
  summary: 'Is the process alive?',
  description: 'Answers as long as the process can. Asks nothing else.',
  role: 'public',
  answer: { status: 200, description: 'It is', body: z.object({ status: z.literal('alive') }) },
  errors: [],
  handler: async () => ({ body: { status: 'alive' as const } }),
});
