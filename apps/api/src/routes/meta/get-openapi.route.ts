import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getOpenapiRoute = defineRoute({
  method: 'GET',
  url: '/v1/openapi.json',
  operationId: 'getOpenapi',
  tag: 'meta',
  summary: 'This description',
  description: 'OpenAPI 3.1. Browse it at `/docs`.',
  role: 'public',
  answer: { status: 200, description: 'The document', body: z.record(z.string(), z.unknown()) },
  errors: [],
  handler: async ({ app }) => ({ body: app.swagger() as unknown as Record<string, unknown> }),
});
