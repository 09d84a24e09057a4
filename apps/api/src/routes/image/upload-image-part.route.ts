import type { Readable } from 'node:stream';
import { uploadImagePart } from '@kvorum/control-plane';
import { IMAGE_PART_BYTES_MAX, IMAGE_PART_COUNT_MAX, ImageId, ImagePart } from '@kvorum/schema';
import { z } from 'zod';
import { limitBytes } from '../../byte-limit.js';
import { defineRoute } from '../../define-route.js';
import { namingField } from '../../name-field.js';

const FIELDS = { invalid_request: 'body', payload_too_large: 'body' };

export const uploadImagePartRoute = defineRoute({
  method: 'PUT',
  url: '/v1/images/:imageId/parts/:partNumber',
  operationId: 'uploadImagePart',
  tag: 'images',
  summary: 'Upload a part of an image',
  description:
    'For large images and bad lines: a part that broke off is sent again, not the whole. In any order; a part that is there already is replaced. ' +
    'Parts to which none was added for two days are removed.',
  role: 'operator',
  params: z.object({ imageId: ImageId, partNumber: z.coerce.number().int().min(1).max(IMAGE_PART_COUNT_MAX) }),
  upload: 'application/octet-stream',
  answer: { status: 200, description: 'The part as it was kept', body: ImagePart },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, content, contentLengthBytes: contentLength, imageBytesMax }) => {
    const { imageId, partNumber: number } = params;
    const upload = (bounded: Readable) =>
      uploadImagePart(cp, actor, imageId, { number, content: bounded, contentLength, imageBytesMax });
    const bytesMax = Math.min(IMAGE_PART_BYTES_MAX, imageBytesMax);
    return { body: await namingField(FIELDS, () => limitBytes(content, bytesMax, upload)) };
  },
});
