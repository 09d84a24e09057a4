import { listVms } from '@kvorum/control-plane';
import { ListVmsQuery, pageOf, Vm } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listVmsRoute = defineRoute({
  method: 'GET',
  url: '/v1/vms',
  operationId: 'listVms',
  tag: 'vms',
  summary: 'List VMs',
  description: 'In the order of their making. Deleted VMs are not listed.',
  role: 'viewer',
  query: ListVmsQuery,
  answer: { status: 200, description: 'A page of vms', body: pageOf(Vm, 'Vm') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listVms(cp, actor, query) }),
});
