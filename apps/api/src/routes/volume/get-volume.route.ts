import { getVolume } from '@kvorum/control-plane';
import { Volume, VolumeId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getVolumeRoute = defineRoute({
  method: 'GET',
  url: '/v1/volumes/:volumeId',
  operationId: 'getVolume',
  tag: 'volumes',
  summary: 'Get a volume',
  description: 'Where it lies, which VM has it, and what its last operation came to.',
  role: 'viewer',
  params: z.object({ volumeId: VolumeId }),
  answer: { status: 200, description: 'As it is now', body: Volume, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getVolume(cp, actor, params.volumeId)),
});
