import { pingDatabase } from '@kvorum/control-plane';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getReadinessRoute = defineRoute({
  method: 'GET',
  url: '/readyz',
  operationId: 'getReadiness',
  tag: 'meta',
  summary: 'Can it serve requests?',
  description: 'Asks the database.',
  role: 'public',
  answer: { status: 200, description: 'It can', body: z.object({ status: z.literal('ready') }) },
  errors: ['unavailable'],
  handler: async ({ cp }) => {
    await pingDatabase(cp);
    return { body: { status: 'ready' as const } };
  },
});
