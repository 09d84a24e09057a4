import { simulatePlacement } from '@kvorum/control-plane';
import { SimulatedPlacement, SimulatePlacementRequest } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const simulatePlacementRoute = defineRoute({
  method: 'POST',
  url: '/v1/placements/simulate',
  operationId: 'simulatePlacement',
  tag: 'placements',
  summary: 'Ask where VMs would go',
  description: 'Decides for up to 100 VMs, each counted with those before it, and reserves nothing.',
  role: 'viewer',
  body: SimulatePlacementRequest,
  example: { vms: [{ flavorId: '019a0000-0000-7000-8000-000000000001', count: 3 }], mode: 'all-or-nothing' },
  answer: { status: 200, description: 'What would be decided', body: SimulatedPlacement },
  errors: ['not_found', 'forbidden'],
  handler: async ({ cp, actor, body }) => ({ body: await simulatePlacement(cp, actor, body) }),
});
