import { createVmGroup } from '@kvorum/control-plane';
import { CreateVmGroupRequest, VmGroupDetails } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createVmGroupRoute = defineRoute({
  method: 'POST',
  url: '/v1/vm-groups',
  operationId: 'createVmGroup',
  tag: 'vm-groups',
  summary: 'Create a VM group',
  description: 'VMs that name it are placed by its rules: near each other, apart, or evenly spread.',
  role: 'operator',
  body: CreateVmGroupRequest,
  example: { name: 'web', rules: [{ kind: 'anti-affinity', level: 'host' }] },
  honours: ['idempotency-key'],
  answer: { status: 201, description: 'What was made', body: VmGroupDetails, headers: ['etag', 'location'] },
  errors: ['not_found', 'already_exists', 'quota_exceeded'],
  handler: async ({ cp, actor, body, options }) => {
    const group = await createVmGroup(cp, actor, body, options);
    return versioned(group, `/v1/vm-groups/${group.id}`);
  },
});
