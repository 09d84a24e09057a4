import { freezeVm } from '@kvorum/control-plane';
import { FreezeVmRequest, FrozenVm, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const freezeVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/freeze',
  operationId: 'freezeVm',
  tag: 'vms',
  summary: "Halt the writes of a guest's file systems",
  description:
    'For a copy that belongs together, through the QEMU guest agent. The host thaws them at the deadline whatever else happens, and at once when its agent was restarted; `wasUnbroken` of the answer to thaw says whether the freeze held.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  body: FreezeVmRequest,
  isBodyOptional: true,
  answer: { status: 200, description: 'Frozen', body: FrozenVm },
  errors: [
    'not_found',
    'conflict_state',
    'guest_agent_failed',
    'host_unreachable',
    'host_fault',
    'host_not_trusted',
    'guest_fault',
    'deadline_exceeded',
  ],
  example: { durationMs: 10_000 },
  handler: async ({ cp, actor, params, body }) => ({ body: await freezeVm(cp, actor, params.vmId, body.durationMs) }),
});
