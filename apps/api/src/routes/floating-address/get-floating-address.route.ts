import { getFloatingAddress } from '@kvorum/control-plane';
import { FloatingAddress, FloatingAddressId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getFloatingAddressRoute = defineRoute({
  method: 'GET',
  url: '/v1/floating-addresses/:addressId',
  operationId: 'getFloatingAddress',
  tag: 'floating-addresses',
  summary: 'Get a floating address',
  description: 'With the port that is reached by it, and the host that answers for it.',
  role: 'viewer',
  params: z.object({ addressId: FloatingAddressId }),
  answer: { status: 200, description: 'As it is now', body: FloatingAddress, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getFloatingAddress(cp, actor, params.addressId)),
});
