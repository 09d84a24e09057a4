import { deleteNetwork } from '@kvorum/control-plane';
import { NetworkId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteNetworkRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/networks/:networkId',
  operationId: 'deleteNetwork',
  tag: 'networks',
  summary: 'Delete a network',
  description: 'Refused while it has ports.',
  role: 'operator',
  params: z.object({ networkId: NetworkId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteNetwork(cp, actor, params.networkId);
    return NOTHING_LEFT;
  },
});
