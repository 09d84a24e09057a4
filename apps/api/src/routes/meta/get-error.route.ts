import { ERROR_CATALOGUE, ERROR_CODES } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

const ErrorExplanation = z
  .object({ code: z.enum(ERROR_CODES), status: z.int(), remedy: z.string() })
  .meta({ id: 'ErrorExplanation' });

export const getErrorRoute = defineRoute({
  method: 'GET',
  url: '/v1/errors/:code',
  operationId: 'getError',
  tag: 'meta',
  summary: 'What an error code means',
  description: 'The address that the `type` of problem documents names.',
  role: 'public',
  params: z.object({ code: z.enum(ERROR_CODES) }),
  answer: { status: 200, description: 'What to do about it', body: ErrorExplanation },
  errors: [],
  handler: async ({ params: { code } }) => ({
    body: { code, status: ERROR_CATALOGUE[code].http, remedy: ERROR_CATALOGUE[code].remedy },
  }),
});
