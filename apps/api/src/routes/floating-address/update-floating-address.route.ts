import { updateFloatingAddress } from '@kvorum/control-plane';
import { FloatingAddress, FloatingAddressId, UpdateFloatingAddressRequest } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateFloatingAddressRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/floating-addresses/:addressId',
  operationId: 'updateFloatingAddress',
  tag: 'floating-addresses',
  summary: 'Change which port is reached by a floating address',
  description: 'Also while VMs run. Connections by it to the former port end.',
  role: 'operator',
  params: z.object({ addressId: FloatingAddressId }),
  body: UpdateFloatingAddressRequest,
  example: { portId: '019a0000-0000-7000-8000-000000000001' },
  honours: ['if-match'],
  answer: { status: 200, description: 'As it is now', body: FloatingAddress, headers: ['etag'] },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updateFloatingAddress(cp, actor, params.addressId, body, options)),
});
