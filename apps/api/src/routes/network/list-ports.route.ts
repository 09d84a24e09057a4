import { listPorts } from '@kvorum/control-plane';
import { ListPortsQuery, NetworkId, Port, pageOf } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const listPortsRoute = defineRoute({
  method: 'GET',
  url: '/v1/networks/:networkId/ports',
  operationId: 'listPorts',
  tag: 'networks',
  summary: 'List the ports of a network',
  description: 'With their addresses.',
  role: 'viewer',
  params: z.object({ networkId: NetworkId }),
  query: ListPortsQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(Port, 'Port') },
  errors: ['not_found'],
  handler: async ({ cp, actor, params, query }) => ({ body: await listPorts(cp, actor, params.networkId, query) }),
});
