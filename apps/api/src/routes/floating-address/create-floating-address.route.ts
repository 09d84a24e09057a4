import { createFloatingAddress } from '@kvorum/control-plane';
import { CreateFloatingAddressRequest, FloatingAddress } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createFloatingAddressRoute = defineRoute({
  method: 'POST',
  url: '/v1/floating-addresses',
  operationId: 'createFloatingAddress',
  tag: 'floating-addresses',
  summary: 'Take a floating address',
  description: "The one asked for, or one that is free. It is the project's until it is released.",
  role: 'operator',
  body: CreateFloatingAddressRequest,
  example: { portId: '019a0000-0000-7000-8000-000000000001' },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'What was taken', body: FloatingAddress, headers: ['etag', 'location'] },
  errors: ['not_found', 'already_exists', 'conflict_state', 'quota_exceeded'],
  handler: async ({ cp, actor, body, options }) => {
    const address = await createFloatingAddress(cp, actor, body, options);
    return versioned(address, `/v1/floating-addresses/${address.id}`);
  },
});
