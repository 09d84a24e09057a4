import { getNetwork } from '@kvorum/control-plane';
import { Network, NetworkId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getNetworkRoute = defineRoute({
  method: 'GET',
  url: '/v1/networks/:networkId',
  operationId: 'getNetwork',
  tag: 'networks',
  summary: 'Get a network',
  description: 'With how many ports it has.',
  role: 'viewer',
  params: z.object({ networkId: NetworkId }),
  answer: { status: 200, description: 'As it is now', body: Network, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getNetwork(cp, actor, params.networkId)),
});
