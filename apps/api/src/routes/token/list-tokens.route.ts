import { listTokens } from '@kvorum/control-plane';
import { ListTokensQuery, pageOf, Token } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listTokensRoute = defineRoute({
  method: 'GET',
  url: '/v1/tokens',
  operationId: 'listTokens',
  tag: 'tokens',
  summary: 'List API tokens',
  description: 'Their secrets are not kept and so not shown.',
  role: 'admin',
  query: ListTokensQuery,
  answer: { status: 200, description: 'A page of tokens', body: pageOf(Token, 'Token') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listTokens(cp, actor, query) }),
});
