import { listVmTemplates } from '@kvorum/control-plane';
import { ListVmTemplatesQuery, pageOf, VmTemplate } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listVmTemplatesRoute = defineRoute({
  method: 'GET',
  url: '/v1/vm-templates',
  operationId: 'listVmTemplates',
  tag: 'vm-templates',
  summary: 'List templates',
  description: 'Of the projects the token sees.',
  role: 'viewer',
  query: ListVmTemplatesQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(VmTemplate, 'VmTemplate') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listVmTemplates(cp, actor, query) }),
});
