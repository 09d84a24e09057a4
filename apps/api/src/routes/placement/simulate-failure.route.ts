import { simulateFailure } from '@kvorum/control-plane';
import { SimulatedFailure, SimulateFailureRequest } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const simulateFailureRoute = defineRoute({
  method: 'POST',
  url: '/v1/placements/simulate-failure',
  operationId: 'simulateFailure',
  tag: 'placements',
  summary: 'Ask what would be if a host, rack or zone were gone',
  description:
    'Which running VMs would find room elsewhere, and which would not and why. Changes nothing; looks at room and rules, not at where disks are.',
  role: 'operator',
  body: SimulateFailureRequest,
  example: { level: 'rack', name: 'a-07' },
  answer: { status: 200, description: 'Where VMs would go', body: SimulatedFailure },
  errors: ['not_found', 'forbidden'],
  handler: async ({ cp, actor, body }) => ({ body: await simulateFailure(cp, actor, body) }),
});
