import { getCpuBaseline } from '@kvorum/control-plane';
import { HostGroupBaseline, HostGroupId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getCpuBaselineRoute = defineRoute({
  method: 'GET',
  url: '/v1/host-groups/:hostGroupId/cpu-baseline',
  operationId: 'getCpuBaseline',
  tag: 'host-groups',
  summary: 'Get the CPU baseline of a host group',
  description: 'What every member can give to guests: features, CPU models, machine types, and the model to choose.',
  role: 'viewer',
  params: z.object({ hostGroupId: HostGroupId }),
  answer: { status: 200, description: 'The baseline', body: HostGroupBaseline },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await getCpuBaseline(cp, actor, params.hostGroupId) }),
});
