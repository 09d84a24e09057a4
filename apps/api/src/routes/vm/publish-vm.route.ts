import { planVmPublish, publishVm } from '@kvorum/control-plane';
import { AcceptedOperation, PublishVmQuery, PublishVmRequest, VmId, VmPublishPlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const publishVmRoute = defineRoute({
  method: 'POST',
  url: '/v1/vms/:vmId/publish',
  operationId: 'publishVm',
  tag: 'vms',
  summary: 'Publish the root disk of a VM as an image',
  description:
    'The image belongs to the project of the VM. What identifies the guest, and all its secrets, are in it: see the warnings of `?dryRun=plan`. The answer names the image. A VM whose root disk lies on a storage pool may run; it is `updating` until there is a clone of the disk. One with a local disk has to be stopped, and cannot be started until the operation has ended.',
  role: 'operator',
  params: z.object({ vmId: VmId }),
  query: PublishVmQuery,
  body: PublishVmRequest,
  example: { name: 'golden-1' },
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be published', body: VmPublishPlan },
  errors: ['not_found', 'forbidden', 'conflict_state', 'already_exists'],
  handler: async ({ cp, actor, params, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVmPublish(cp, actor, params.vmId, body, options))
      : accepted(await publishVm(cp, actor, params.vmId, body, options)),
});
