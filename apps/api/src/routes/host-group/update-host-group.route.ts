import { updateHostGroup } from '@kvorum/control-plane';
import { HostGroup, HostGroupId, UpdateHostGroupRequest } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateHostGroupRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/host-groups/:hostGroupId',
  operationId: 'updateHostGroup',
  tag: 'host-groups',
  summary: 'Change a host group',
  description:
    'Its name, its description, and who is in it; leaving comes before joining. A host that takes something from the CPU ' +
    'baseline is refused with what that is, unless `allowBaselineLoss` is true.',
  role: 'admin',
  params: z.object({ hostGroupId: HostGroupId }),
  body: UpdateHostGroupRequest,
  example: { addHostIds: ['019a0000-0000-7000-8000-000000000001'] },
  honours: ['if-match'],
  answer: { status: 200, description: 'The group as it is now', body: HostGroup, headers: ['etag'] },
  errors: ['not_found', 'already_exists', 'conflict_state'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updateHostGroup(cp, actor, params.hostGroupId, body, options)),
});
