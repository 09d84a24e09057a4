import { deleteImage } from '@kvorum/control-plane';
import { ImageId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteImageRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/images/:imageId',
  operationId: 'deleteImage',
  tag: 'images',
  summary: 'Delete an image',
  description: 'Refused while a VM was made from it. Copies in the caches of hosts go when room is needed.',
  role: 'operator',
  params: z.object({ imageId: ImageId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'in_use'],
  handler: async ({ cp, actor, params }) => {
    await deleteImage(cp, actor, params.imageId);
    return NOTHING_LEFT;
  },
});
