import { ERROR_CATALOGUE, type ErrorCode, Problem } from '@kvorum/schema';
import type { FastifySchema } from 'fastify';
import { z } from 'zod';
import type { Route } from '../define-route.js';
import { IdempotencyKey } from '../idempotency.js';

const Anything = z.unknown();
const IfMatch = z.string().meta({
  description: 'ETag of the object as it was read; if it has changed since, the request is refused. "*" matches any',
});

/** What Fastify validates by, and what the OpenAPI document is made from. `x-` fields are worked in by api-description. */
export function schemaOf(route: Route): FastifySchema {
  const headers = {
    ...(route.honours?.includes('idempotency-key') ? { 'idempotency-key': IdempotencyKey.optional() } : {}),
    ...(route.honours?.includes('if-match') ? { 'if-match': IfMatch.optional() } : {}),
  };
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: `${route.description}\n\n${roleSentence(route)}`,
    ...(route.role === 'public' || route.role === 'console-token' ? { security: [] } : {}),
    params: (route.params ?? z.object({})).strict(),
    querystring: (route.query ?? z.object({})).strict(),
    ...(route.upload === undefined ? {} : { consumes: [route.upload], body: Anything }),
    ...(route.body === undefined ? {} : { body: route.body }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: z.object(headers) }),
    response: { ...answerSchema(route), ...planSchema(route), ...problemSchemas(route) },
    'x-minimal-role': route.role,
    'x-optional-body': route.isBodyOptional === true,
    'x-body-example': route.example,
    'x-answer-headers': 'headers' in route.answer ? route.answer.headers : undefined,
  } as FastifySchema;
}

function roleSentence({ role }: Route): string {
  if (role === 'public') return 'Needs no token.';
  if (role === 'console-token') return 'Needs no API token: the console token in its query is what lets one in.';
  return `Needs a token with role \`${role}\` or above.`;
}

function answerSchema({ answer }: Route): Record<string, unknown> {
  if (answer.status === 204 || answer.status === 101) {
    return { [answer.status]: z.null().meta({ description: answer.description }) };
  }
  if ('bytes' in answer) {
    const content = { [answer.bytes]: { schema: z.string().meta({ format: 'binary' }) } };
    return { 200: { description: answer.description, content } };
  }
  const content =
    'stream' in answer ? { [answer.stream]: { schema: z.string() } } : { 'application/json': { schema: answer.body } };
  return { [answer.status]: { description: answer.description, content } };
}

const planSchema = ({ plan }: Route): Record<string, unknown> =>
  plan === undefined
    ? {}
    : { 200: { description: plan.description, content: { 'application/json': { schema: plan.body } } } };

function problemSchemas(route: Route): Record<string, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorsOf(route)) {
    const { http } = ERROR_CATALOGUE[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].remedy}`).join('\n\n'),
        content: { 'application/problem+json': { schema: Problem } },
      },
    ]),
  );
}

/** Every code the route may answer with, in the order of the catalogue. */
export function errorsOf(route: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>([...route.errors, 'invalid_request', 'bug']);
  const add = (...more: ErrorCode[]): void => {
    for (const code of more) codes.add(code);
  };
  if (route.role !== 'public') add('unauthenticated', 'forbidden', 'rate_limited', 'unavailable');
  if (route.params !== undefined) add('not_found');
  if (route.method !== 'GET') add('unsupported_media_type', 'payload_too_large');
  if (route.honours?.includes('idempotency-key')) add('idempotency_conflict');
  if (route.honours?.includes('if-match')) add('precondition_failed');
  return (Object.keys(ERROR_CATALOGUE) as ErrorCode[]).filter((code) => codes.has(code));
}
