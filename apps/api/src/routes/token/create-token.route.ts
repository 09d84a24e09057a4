import { createToken } from '@kvorum/control-plane';
import { CreateTokenRequest, IssuedToken } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const createTokenRoute = defineRoute({
  method: 'POST',
  url: '/v1/tokens',
  operationId: 'createToken',
  tag: 'tokens',
  summary: 'Create an API token',
  description:
    'The secret is shown here and nowhere else, so the request cannot be replayed: revoke the token and make another.',
  role: 'admin',
  body: CreateTokenRequest,
  example: { name: 'terraform', role: 'operator', validForSeconds: 2_592_000 },
  answer: { status: 201, description: 'The new token with its secret', body: IssuedToken },
  errors: ['not_found'],
  handler: async ({ cp, actor, body }) => ({ body: await createToken(cp, actor, body) }),
});
