import { createImage } from '@kvorum/control-plane';
import { CreateImageRequest, Image } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createImageRoute = defineRoute({
  method: 'POST',
  url: '/v1/images',
  operationId: 'createImage',
  tag: 'images',
  summary: 'Announce an image',
  description: 'Then send its content with `PUT /v1/images/{imageId}/content`.',
  role: 'operator',
  body: CreateImageRequest,
  example: { name: 'debian-13', sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'The new image', body: Image, headers: ['etag', 'location'] },
  errors: ['forbidden', 'not_found', 'already_exists'],
  handler: async ({ cp, actor, body, options }) => {
    const image = await createImage(cp, actor, body, options);
    return versioned(image, `/v1/images/${image.id}`);
  },
});
