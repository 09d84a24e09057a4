import { deleteVmTemplate, planVmTemplateDeletion } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, VmTemplateId, VmTemplatePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteVmTemplateRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/vm-templates/:templateId',
  operationId: 'deleteVmTemplate',
  tag: 'vm-templates',
  summary: 'Delete a template',
  description: 'For good. Refused while forks, or templates of forks, rest on its disk; the answer names them.',
  role: 'operator',
  params: z.object({ templateId: VmTemplateId }),
  query: DryRunQuery,
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VmTemplatePlan },
  errors: ['not_found', 'conflict_state', 'in_use'],
  handler: async ({ cp, actor, params, query, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVmTemplateDeletion(cp, actor, params.templateId, options))
      : accepted(await deleteVmTemplate(cp, actor, params.templateId, options)),
});
