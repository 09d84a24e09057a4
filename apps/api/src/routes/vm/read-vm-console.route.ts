import { readVmConsole } from '@kvorum/control-plane';
import { ConsoleLog, ConsoleQuery, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const readVmConsoleRoute = defineRoute({
  method: 'GET',
  url: '/v1/vms/:vmId/console',
  operationId: 'readVmConsole',
  tag: 'vms',
  summary: 'Read the console log of a VM',
  description: 'What the guest wrote to its serial console. Pass `nextOffset` as `offset` to read on.',
  role: 'viewer',
  params: z.object({ vmId: VmId }),
  query: ConsoleQuery,
  answer: { status: 200, description: 'A part of the log', body: ConsoleLog },
  errors: ['not_found', 'conflict_state', 'host_unreachable', 'host_fault', 'host_not_trusted'],
  handler: async ({ cp, actor, params, query }) => ({
    body: await readVmConsole(cp, actor, params.vmId, query.offset ?? null),
  }),
});
