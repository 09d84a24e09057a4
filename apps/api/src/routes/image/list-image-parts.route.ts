import { listImageParts } from '@kvorum/control-plane';
import { ImageId, ImageParts } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const listImagePartsRoute = defineRoute({
  method: 'GET',
  url: '/v1/images/:imageId/parts',
  operationId: 'listImageParts',
  tag: 'images',
  summary: 'List the parts of an image that have arrived',
  description: 'What is missing is still to be sent. None once the image was made of them.',
  role: 'operator',
  params: z.object({ imageId: ImageId }),
  answer: { status: 200, description: 'The parts, by number', body: ImageParts },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await listImageParts(cp, actor, params.imageId) }),
});
