import { deleteFloatingAddress } from '@kvorum/control-plane';
import { FloatingAddressId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteFloatingAddressRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/floating-addresses/:addressId',
  operationId: 'deleteFloatingAddress',
  tag: 'floating-addresses',
  summary: 'Release a floating address',
  description: 'Its port is reached by it no more, and others can have it.',
  role: 'operator',
  params: z.object({ addressId: FloatingAddressId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => {
    await deleteFloatingAddress(cp, actor, params.addressId);
    return NOTHING_LEFT;
  },
});
