import { getVmTemplate } from '@kvorum/control-plane';
import { VmTemplate, VmTemplateId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getVmTemplateRoute = defineRoute({
  method: 'GET',
  url: '/v1/vm-templates/:templateId',
  operationId: 'getVmTemplate',
  tag: 'vm-templates',
  summary: 'Get a template',
  description: 'Where it lies, what its forks are, and how many there are.',
  role: 'viewer',
  params: z.object({ templateId: VmTemplateId }),
  answer: { status: 200, description: 'As it is now', body: VmTemplate, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getVmTemplate(cp, actor, params.templateId)),
});
