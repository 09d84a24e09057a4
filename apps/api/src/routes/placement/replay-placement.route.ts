import { replayPlacement } from '@kvorum/control-plane';
import { PlacementId, PlacementReplay } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const replayPlacementRoute = defineRoute({
  method: 'POST',
  url: '/v1/placements/:placementId/replay',
  operationId: 'replayPlacement',
  tag: 'placements',
  summary: 'Decide again what was decided',
  description:
    'From the request and the hosts that were kept with the decision, and compares. Changes nothing. Needs a token for the whole site.',
  role: 'viewer',
  params: z.object({ placementId: PlacementId }),
  answer: { status: 200, description: 'What comes out now', body: PlacementReplay },
  errors: ['not_found', 'forbidden', 'conflict_state'],
  handler: async ({ cp, actor, params }) => ({ body: await replayPlacement(cp, actor, params.placementId) }),
});
