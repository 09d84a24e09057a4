import { createVm } from '@kvorum/control-plane';
import { AcceptedOperation, CreateVmRequest } from '@kvorum/schema';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms',
  operationId: 'createVm',
  tag: 'vms',
  summary: 'Create a VM',
  description:
    'Finds a host and reserves its place there before it answers: without room it is refused at once, with the reasons, or waits for it if `waitForCapacity` says so.',
  role: 'operator',
  body: CreateVmRequest,
  example: {
    name: 'web-1',
    flavorId: '019a0000-0000-7000-8000-000000000001',
    imageId: '019a0000-0000-7000-8000-000000000002',
    labels: { tier: 'web' },
  },
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['forbidden', 'not_found', 'already_exists', 'conflict_state', 'quota_exceeded', 'no_capacity'],
  handler: async ({ cp, actor, body, options }) => accepted(await createVm(cp, actor, body, options)),
});
