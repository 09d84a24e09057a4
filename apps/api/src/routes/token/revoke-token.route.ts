import { revokeToken } from '@kvorum/control-plane';
import { Token, TokenId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const revokeTokenRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/tokens/:tokenId',
  operationId: 'revokeToken',
  tag: 'tokens',
  summary: 'Revoke an API token',
  description: 'It is refused from now on. Its record stays, for the log of who did what.',
  role: 'admin',
  params: z.object({ tokenId: TokenId }),
  answer: { status: 200, description: 'The token as it is now', body: Token },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await revokeToken(cp, actor, params.tokenId) }),
});
