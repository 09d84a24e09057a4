import { updateProjectQuota } from '@kvorum/control-plane';
import { Project, ProjectId, Quota } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const updateProjectQuotaRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/projects/:projectId/quota',
  operationId: 'updateProjectQuota',
  tag: 'projects',
  summary: 'Set the quota of a project',
  description: 'A quota below what is in use stops growth and takes nothing away.',
  role: 'admin',
  params: z.object({ projectId: ProjectId }),
  body: Quota,
  example: { vmCount: 50, vcpuCount: 200, memoryBytes: 549_755_813_888, diskBytes: 10_995_116_277_760 },
  answer: { status: 200, description: 'The project as it is now', body: Project },
  errors: ['not_found'],
  handler: async ({ cp, actor, params, body }) => ({
    body: await updateProjectQuota(cp, actor, params.projectId, body),
  }),
});
