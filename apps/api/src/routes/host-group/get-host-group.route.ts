import { getHostGroup } from '@kvorum/control-plane';
import { HostGroup, HostGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getHostGroupRoute = defineRoute({
  method: 'GET',
  url: '/v1/host-groups/:hostGroupId',
  operationId: 'getHostGroup',
  tag: 'host-groups',
  summary: 'Get a host group',
  description: 'With its members. Needs a token for the whole site.',
  role: 'viewer',
  params: z.object({ hostGroupId: HostGroupId }),
  answer: { status: 200, description: 'The group', body: HostGroup, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getHostGroup(cp, actor, params.hostGroupId)),
});
