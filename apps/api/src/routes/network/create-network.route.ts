import { createNetwork } from '@kvorum/control-plane';
import { CreateNetworkRequest, Network } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createNetworkRoute = defineRoute({
  method: 'POST',
  url: '/v1/networks',
  operationId: 'createNetwork',
  tag: 'networks',
  summary: 'Create a network',
  description:
    'Its range must not overlap another of the project. `bridge` networks, on wires of the site, are for admins.',
  role: 'operator',
  body: CreateNetworkRequest,
  example: { name: 'shop', kind: 'vxlan', cidr: '10.20.0.0/24' },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'What was made', body: Network, headers: ['etag', 'location'] },
  errors: ['forbidden', 'not_found', 'already_exists', 'conflict_state', 'quota_exceeded'],
  handler: async ({ cp, actor, body, options }) => {
    const network = await createNetwork(cp, actor, body, options);
    return versioned(network, `/v1/networks/${network.id}`);
  },
});
