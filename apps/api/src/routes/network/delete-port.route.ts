import { deletePort } from '@kvorum/control-plane';
import { PortId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deletePortRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/ports/:portId',
  operationId: 'deletePort',
  tag: 'networks',
  summary: 'Delete a port',
  description: 'Its address is free then. Refused while it is for a VM: the ports of a VM go with the VM.',
  role: 'operator',
  params: z.object({ portId: PortId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deletePort(cp, actor, params.portId);
    return NOTHING_LEFT;
  },
});
