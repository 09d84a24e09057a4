import { getPlacement } from '@kvorum/control-plane';
import { Placement, PlacementId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getPlacementRoute = defineRoute({
  method: 'GET',
  url: '/v1/placements/:placementId',
  operationId: 'getPlacement',
  tag: 'placements',
  summary: 'Get a decision of the scheduler',
  description: 'With counts per filter, the verdict on the best and the closest hosts, and what would make it fit.',
  role: 'viewer',
  params: z.object({ placementId: PlacementId }),
  answer: { status: 200, description: 'The decision', body: Placement },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await getPlacement(cp, actor, params.placementId) }),
});
