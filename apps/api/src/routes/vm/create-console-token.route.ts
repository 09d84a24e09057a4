import { createConsoleToken } from '@kvorum/control-plane';
import { CreateConsoleTokenRequest, IssuedConsoleToken, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const createConsoleTokenRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/console-tokens',
  operationId: 'createConsoleToken',
  tag: 'vms',
  summary: 'Get a token that opens one console, once',
  description:
    'Good for a minute, for one console of one VM. Browsers, which cannot send a bearer token with a WebSocket, open the path in the answer with `?token=`.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  body: CreateConsoleTokenRequest,
  answer: { status: 201, description: 'The token; it is shown only here', body: IssuedConsoleToken },
  errors: ['not_found'],
  example: { kind: 'serial' },
  handler: async ({ cp, actor, params, body }) => ({
    body: await createConsoleToken(cp, actor, params.vmId, body.kind),
  }),
});
