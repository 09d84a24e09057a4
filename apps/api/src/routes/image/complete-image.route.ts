import { completeImage } from '@kvorum/control-plane';
import { CompleteImageRequest, Image, ImageId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';
import { namingField } from '../../name-field.js';

const FIELDS = { image_invalid: 'body', checksum_mismatch: 'body', conflict_state: 'body.partCount' };

export const completeImageRoute = defineRoute({
  method: 'POST',
  url: '/v1/images/:imageId/complete',
  operationId: 'completeImage',
  tag: 'images',
  summary: 'Make an image of its parts',
  description:
    'The content is checked, and converted to qcow2 if it is something else, before the image becomes available; that can take minutes. ' +
    'Repeated, it answers with the image. Content that is refused goes with all its parts.',
  role: 'operator',
  params: z.object({ imageId: ImageId }),
  body: CompleteImageRequest,
  answer: { status: 200, description: 'The image as it is now', body: Image, headers: ['etag'] },
  errors: ['not_found', 'conflict_state', 'image_invalid', 'checksum_mismatch'],
  example: { partCount: 12 },
  handler: async ({ cp, actor, params, body }) =>
    versioned(await namingField(FIELDS, () => completeImage(cp, actor, params.imageId, body))),
});
