import { createHostGroup } from '@kvorum/control-plane';
import { CreateHostGroupRequest, HostGroup } from '@kvorum/schema';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createHostGroupRoute = defineRoute({
  method: 'POST',
  url: '/v1/host-groups',
  operationId: 'createHostGroup',
  tag: 'host-groups',
  summary: 'Create a host group',
  description: 'Hosts between which VMs are to be able to move: a VM with a model of their CPU baseline runs on each.',
  role: 'admin',
  body: CreateHostGroupRequest,
  example: { name: 'rack-7', description: 'Haswell, bought 2014' },
  answer: { status: 201, description: 'The new group', body: HostGroup, headers: ['etag', 'location'] },
  errors: ['already_exists', 'conflict_state', 'not_found'],
  handler: async ({ cp, actor, body }) => {
    const group = await createHostGroup(cp, actor, body);
    return versioned(group, `/v1/host-groups/${group.id}`);
  },
});
