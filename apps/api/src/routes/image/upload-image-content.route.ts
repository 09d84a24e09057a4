import type { Readable } from 'node:stream';
import { uploadImageContent } from '@kvorum/control-plane';
import { Image, ImageId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { limitBytes } from '../../byte-limit.js';
import { defineRoute } from '../../define-route.js';
import { namingField } from '../../name-field.js';

const FIELDS = { image_invalid: 'body', checksum_mismatch: 'body', payload_too_large: 'body' };

export const uploadImageContentRoute = defineRoute({
  method: 'PUT',
  url: '/v1/images/:imageId/content',
  operationId: 'uploadImageContent',
  tag: 'images',
  summary: 'Upload the content of an image',
  description:
    'A self-contained disk image with the sha256 that was announced: qcow2, or raw, vdi, vhdx or vhd, of which qcow2 is made. ' +
    'It is checked before the image becomes available.',
  role: 'operator',
  params: z.object({ imageId: ImageId }),
  upload: 'application/octet-stream',
  answer: { status: 200, description: 'The image as it is now', body: Image, headers: ['etag'] },
  errors: ['not_found', 'conflict_state', 'image_invalid', 'checksum_mismatch'],
  handler: async ({ cp, actor, params, content, contentLengthBytes, imageBytesMax }) => {
    const upload = (bounded: Readable) => uploadImageContent(cp, actor, params.imageId, bounded, contentLengthBytes);
    return versioned(await namingField(FIELDS, () => limitBytes(content, imageBytesMax, upload)));
  },
});
