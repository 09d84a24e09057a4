import { updateNetwork } from '@kvorum/control-plane';
import { Network, NetworkId, UpdateNetworkRequest } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateNetworkRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/networks/:networkId',
  operationId: 'updateNetwork',
  tag: 'networks',
  summary: 'Change a network',
  description: 'Its name and the domain of its ports. What guests were given stays: range, gateway, MTU.',
  role: 'operator',
  params: z.object({ networkId: NetworkId }),
  body: UpdateNetworkRequest,
  example: { dnsDomain: 'shop.internal' },
  honours: ['if-match'],
  answer: { status: 200, description: 'As it is now', body: Network, headers: ['etag'] },
  errors: ['not_found', 'already_exists'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updateNetwork(cp, actor, params.networkId, body, options)),
});
