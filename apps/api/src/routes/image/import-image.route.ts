import { importImage } from '@kvorum/control-plane';
import { Image, ImportImageRequest } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';
import { namingField } from '../../name-field.js';

const FIELDS = { image_invalid: 'body.fileName', not_found: 'body.fileName', checksum_mismatch: 'body.sha256' };

export const importImageRoute = defineRoute({
  method: 'POST',
  url: '/v1/images/import',
  operationId: 'importImage',
  tag: 'images',
  summary: 'Import an image from the import folder',
  description: 'Takes a file that already lies on the machine of the control plane, in the folder set aside for it.',
  role: 'operator',
  body: ImportImageRequest,
  example: {
    name: 'debian-13',
    fileName: 'debian-13.qcow2',
    sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'The new image', body: Image, headers: ['etag', 'location'] },
  errors: ['forbidden', 'not_found', 'already_exists', 'image_invalid', 'checksum_mismatch'],
  handler: async ({ cp, actor, body, options }) => {
    const image = await namingField(FIELDS, () => importImage(cp, actor, body, options));
    return versioned(image, `/v1/images/${image.id}`);
  },
});
