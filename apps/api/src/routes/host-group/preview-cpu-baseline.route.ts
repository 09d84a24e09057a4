import { previewBaseline } from '@kvorum/control-plane';
import { BaselinePreview, HostGroupId, PreviewBaselineRequest } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const previewCpuBaselineRoute = defineRoute({
  method: 'POST',
  url: '/v1/host-groups/:hostGroupId/cpu-baseline/preview',
  operationId: 'previewCpuBaseline',
  tag: 'host-groups',
  summary: 'Preview what joining hosts would take away',
  description: 'The baseline before and after, what would be lost, and the VMs affected. Changes nothing.',
  role: 'viewer',
  params: z.object({ hostGroupId: HostGroupId }),
  body: PreviewBaselineRequest,
  example: { hostIds: ['019a0000-0000-7000-8000-000000000001'] },
  answer: { status: 200, description: 'What joining would do', body: BaselinePreview },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, body }) => ({
    body: await previewBaseline(cp, actor, params.hostGroupId, body),
  }),
});
