import { downloadImage } from '@kvorum/control-plane';
import { AcceptedOperation, DownloadImageRequest } from '@kvorum/schema';
import { accepted } from '../../answer.js';
import { defineRoute } from '../../define-route.js';
import { namingField } from '../../name-field.js';

const FIELDS = { forbidden: 'body.url' };

export const downloadImageRoute = defineRoute({
  method: 'POST',
  url: '/v1/images/download',
  operationId: 'downloadImage',
  tag: 'images',
  summary: 'Fetch an image from a web server',
  description:
    'Takes qcow2, raw, vdi, vhdx or vhd, and makes qcow2 of it. Which servers may be asked is set by the operator; addresses ' +
    'that are not public are never reached unless allowed.',
  role: 'operator',
  body: DownloadImageRequest,
  example: {
    name: 'debian-13',
    url: 'https://cloud.example.org/images/debian-13-genericcloud-amd64.qcow2',
    sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  },
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  errors: ['forbidden', 'not_found', 'already_exists'],
  handler: async ({ cp, actor, body, options }) =>
    accepted(await namingField(FIELDS, () => downloadImage(cp, actor, body, options))),
});
