import { deleteFlavor } from '@kvorum/control-plane';
import { FlavorId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteFlavorRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/flavors/:flavorId',
  operationId: 'deleteFlavor',
  tag: 'flavors',
  summary: 'Delete a flavor',
  description: 'Refused while a VM is of this size.',
  role: 'admin',
  params: z.object({ flavorId: FlavorId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteFlavor(cp, actor, params.flavorId);
    return NOTHING_LEFT;
  },
});
