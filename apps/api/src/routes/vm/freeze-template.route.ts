import { freezeTemplate, planTemplateFreeze } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, FreezeTemplateRequest, VmId, VmTemplatePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const freezeTemplateRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/freeze-template',
  operationId: 'freezeTemplate',
  tag: 'vm-templates',
  summary: 'Make a template of a running VM',
  description:
    'Its memory, devices and disk of one instant. VMs that are created with its `templateId` go on from there, on the same host. The answer names the template. A VM that cannot be frozen is refused, with what is in the way.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  query: DryRunQuery,
  body: FreezeTemplateRequest,
  example: { name: 'web-warm' },
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VmTemplatePlan },
  errors: ['not_found', 'already_exists', 'conflict_state', 'quota_exceeded'],
  handler: async ({ cp, actor, params, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planTemplateFreeze(cp, actor, params.vmId, body, options))
      : accepted(await freezeTemplate(cp, actor, params.vmId, body, options)),
});
