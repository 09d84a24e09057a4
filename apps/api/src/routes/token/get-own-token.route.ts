import { ProjectId, Role, TokenId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

const OwnToken = z
  .object({ id: TokenId, name: z.string(), role: Role, projectId: ProjectId.nullable() })
  .meta({ id: 'OwnToken', description: 'The token a request came with' });

export const getOwnTokenRoute = defineRoute({
  method: 'GET',
  url: '/v1/tokens/self',
  operationId: 'getOwnToken',
  tag: 'tokens',
  summary: 'Who am I?',
  description: 'The token that this request came with.',
  role: 'viewer',
  answer: { status: 200, description: 'The token', body: OwnToken },
  errors: [],
  handler: async ({ actor }) => ({
    body: { id: actor.tokenId, name: actor.tokenName, role: actor.role, projectId: actor.projectId },
  }),
});
