import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { type OpenApiDocument, tidyDocument } from '../openapi-document.js';

const DESCRIPTION = `Kvorum turns a room of bare-metal Linux hosts into one pool of virtual machines.

**Long work is an operation.** A request that takes longer than writing a row answers 202 with an operation; watch it at
\`GET /v1/operations/{operationId}/watch\`.

**Repeating is safe.** Send an \`Idempotency-Key\` with a request that changes something: the same key and request return the
first answer. \`ETag\` and \`If-Match\` carry an object's generation.

**Failures** are problem documents (RFC 9457) with a stable \`code\`, a remedy, and the name of each wrong field.

**Lists** come in pages: pass \`nextCursor\` as \`cursor\` until it is null.`;

const TAGS = [
  { name: 'vms', description: 'Virtual machines' },
  { name: 'operations', description: 'What is being done, step by step' },
  { name: 'events', description: 'What has changed, as it changes' },
  { name: 'images', description: 'Disks to start from' },
  { name: 'flavors', description: 'Sizes of VMs' },
  { name: 'hosts', description: 'The machines that VMs run on' },
  { name: 'projects', description: 'Who shares VMs and quotas' },
  { name: 'tokens', description: 'Who may call this API' },
  { name: 'meta', description: 'The API about itself' },
];

/** Makes the OpenAPI document from the routes' own shapes, and a page to browse it. */
export async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Kvorum',
        version: '1',
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: TAGS,
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API token: `kvt1_…`' } },
      },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) =>
      tidyDocument(jsonSchemaTransformObject(document) as unknown as OpenApiDocument) as never,
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { url: '/v1/openapi.json', deepLinking: true, persistAuthorization: false },
    // The bar on top offers to read other documents; ours is the only one here.
    theme: { title: 'Kvorum API', css: [{ filename: 'kvorum.css', content: '.swagger-ui .topbar { display: none }' }] },
  });
}
