import { listImages } from '@kvorum/control-plane';
import { Image, ListImagesQuery, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listImagesRoute = defineRoute({
  method: 'GET',
  url: '/v1/images',
  operationId: 'listImages',
  tag: 'images',
  summary: 'List images',
  description: 'Those of the projects the token sees, and public ones.',
  role: 'viewer',
  query: ListImagesQuery,
  answer: { status: 200, description: 'A page of images', body: pageOf(Image, 'Image') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listImages(cp, actor, query) }),
});
