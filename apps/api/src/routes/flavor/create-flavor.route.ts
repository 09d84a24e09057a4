import { createFlavor } from '@kvorum/control-plane';
import { CreateFlavorRequest, Flavor } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const createFlavorRoute = defineRoute({
  method: 'POST',
  url: '/v1/flavors',
  operationId: 'createFlavor',
  tag: 'flavors',
  summary: 'Create a flavor',
  description: 'A size in which VMs come. Flavors do not change: VMs made from one keep its size.',
  role: 'admin',
  body: CreateFlavorRequest,
  example: { name: 'small', vcpuCount: 2, memoryBytes: 2_147_483_648, rootDiskBytes: 10_737_418_240 },
  answer: { status: 201, description: 'The new flavor', body: Flavor, headers: ['location'] },
  errors: ['already_exists'],
  handler: async ({ cp, actor, body }) => {
    const flavor = await createFlavor(cp, actor, body);
    return { body: flavor, location: `/v1/flavors/${flavor.id}` };
  },
});
