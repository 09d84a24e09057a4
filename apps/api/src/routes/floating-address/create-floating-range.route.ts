import { createFloatingRange } from '@kvorum/control-plane';
import { CreateFloatingRangeRequest, FloatingRange } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const createFloatingRangeRoute = defineRoute({
  method: 'POST',
  url: '/v1/floating-ranges',
  operationId: 'createFloatingRange',
  tag: 'floating-addresses',
  summary: 'Create a range of floating addresses',
  description: 'Addresses of the world outside, on the wire that hosts are given with --floating-interface.',
  role: 'admin',
  body: CreateFloatingRangeRequest,
  example: { name: 'internet', addresses: '192.0.2.16-192.0.2.31' },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'What was made', body: FloatingRange, headers: ['location'] },
  errors: ['forbidden', 'already_exists', 'conflict_state'],
  handler: async ({ cp, actor, body, options }) => {
    const range = await createFloatingRange(cp, actor, body, options);
    return { body: range, location: `/v1/floating-ranges/${range.id}` };
  },
});
