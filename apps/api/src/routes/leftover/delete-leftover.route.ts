import { deleteLeftover } from '@kvorum/control-plane';
import { LeftoverId } from '@kvorum/schema';
import { z } from 'zod';
import { NOTHING_LEFT } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteLeftoverRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/leftovers/:leftoverId',
  operationId: 'deleteLeftover',
  tag: 'hosts',
  summary: 'Delete a leftover',
  description:
    'Removes it from its host for good: an entry of the quarantine, of the host or of a storage pool, a template, or a VM that the site has not, which is ended and loses its disks. There is no way back.',
  role: 'admin',
  params: z.object({ leftoverId: LeftoverId }),
  answer: { status: 204, description: 'It is gone', body: z.null() },
  errors: ['not_found', 'conflict_state', 'in_use', 'host_unreachable'],
  handler: async ({ cp, actor, params }) => {
    await deleteLeftover(cp, actor, params.leftoverId);
    return NOTHING_LEFT;
  },
});
