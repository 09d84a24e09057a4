import { takeVmScreenshot } from '@kvorum/control-plane';
import { VmId } from '@kvorum/schema';
import { z } from 'zod';
import { defineDownload } from '../../define-route.js';

export const takeVmScreenshotRoute = defineDownload({
  method: 'GET',
  url: '/v1/vms/:vmId/screenshot',
  operationId: 'takeVmScreenshot',
  tag: 'vms',
  summary: 'See the screen of a VM',
  description: 'The screen as it is now. Needs a VM that runs and was created with `hardware.display.kind` `vga`.',
  role: 'viewer',
  params: z.object({ vmId: VmId }),
  answer: { status: 200, description: 'A PNG file', bytes: 'image/png' },
  errors: [
    'not_found',
    'conflict_state',
    'host_unreachable',
    'host_fault',
    'host_not_trusted',
    'guest_fault',
    'deadline_exceeded',
  ],
  handler: async ({ cp, actor, params }) => ({ bytes: await takeVmScreenshot(cp, actor, params.vmId) }),
});
