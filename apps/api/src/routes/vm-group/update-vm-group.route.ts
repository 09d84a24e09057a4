import { updateVmGroup } from '@kvorum/control-plane';
import { UpdateVmGroupRequest, VmGroupDetails, VmGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateVmGroupRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/vm-groups/:vmGroupId',
  operationId: 'updateVmGroup',
  tag: 'vm-groups',
  summary: 'Change a VM group',
  description:
    'Its name and its description; `rules` replaces all that it has. A hard rule that its VMs break where they are now is refused with their names.',
  role: 'operator',
  params: z.object({ vmGroupId: VmGroupId }),
  body: UpdateVmGroupRequest,
  example: { rules: [{ kind: 'spread', level: 'rack', skewMax: 2 }] },
  honours: ['if-match'],
  answer: { status: 200, description: 'As it is now', body: VmGroupDetails, headers: ['etag'] },
  errors: ['not_found', 'already_exists', 'conflict_state'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updateVmGroup(cp, actor, params.vmGroupId, body, options)),
});
