import { runGuestCommand } from '@kvorum/control-plane';
import { GuestCommandResult, RunGuestCommandRequest, VmId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const runGuestCommandRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/exec',
  operationId: 'runGuestCommand',
  tag: 'vms',
  summary: 'Run a program in the guest',
  description:
    'Through the QEMU guest agent, as the user that agent runs as (root, mostly), and waits for its end. At most 256 KiB of output per stream; a program that writes more is refused as a whole. Which program was run by whom is an event, its arguments are kept nowhere. Not repeatable by itself: asked twice, it runs twice.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  body: RunGuestCommandRequest,
  answer: { status: 200, description: 'How it ended', body: GuestCommandResult },
  errors: [
    'not_found',
    'conflict_state',
    'guest_agent_failed',
    'host_unreachable',
    'host_fault',
    'host_not_trusted',
    'guest_fault',
  ],
  example: { command: ['uname', '-a'] },
  handler: async ({ cp, actor, params, body, stopping }) => ({
    body: await runGuestCommand(cp, actor, params.vmId, body, stopping),
  }),
});
