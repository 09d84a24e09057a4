import { getFlavor } from '@kvorum/control-plane';
import { Flavor, FlavorId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getFlavorRoute = defineRoute({
  method: 'GET',
  url: '/v1/flavors/:flavorId',
  operationId: 'getFlavor',
  tag: 'flavors',
  summary: 'Get a flavor',
  description: 'One size of VMs.',
  role: 'viewer',
  params: z.object({ flavorId: FlavorId }),
  answer: { status: 200, description: 'The flavor', body: Flavor },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await getFlavor(cp, actor, params.flavorId) }),
});
