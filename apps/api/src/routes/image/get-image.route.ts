import { getImage } from '@kvorum/control-plane';
import { Image, ImageId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getImageRoute = defineRoute({
  method: 'GET',
  url: '/v1/images/:imageId',
  operationId: 'getImage',
  tag: 'images',
  summary: 'Get an image',
  description: 'With the reason, if its content was refused.',
  role: 'viewer',
  params: z.object({ imageId: ImageId }),
  answer: { status: 200, description: 'The image', body: Image, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getImage(cp, actor, params.imageId)),
});
