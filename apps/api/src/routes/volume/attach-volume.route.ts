import { attachVolume, planVolumeAttachment } from '@kvorum/control-plane';
import { AcceptedOperation, AttachVolumeRequest, DryRunQuery, VmUpdatePlan, VolumeId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const attachVolumeRoute = defineRoute({
  method: 'POST',
  url: '/v1/volumes/:volumeId/attach',
  operationId: 'attachVolume',
  tag: 'volumes',
  summary: 'Attach a volume to a VM',
  description:
    'As a data disk, at once if it runs. The operation is an update of the VM. A volume is in use by one VM.',
  role: 'operator',
  params: z.object({ volumeId: VolumeId }),
  query: DryRunQuery,
  body: AttachVolumeRequest,
  example: { vmId: '019a7c3e-5b1d-7000-8000-5f2c0c6b1a01' },
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done to the VM', body: VmUpdatePlan },
  errors: ['not_found', 'conflict_state', 'in_use'],
  handler: async ({ cp, actor, params, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumeAttachment(cp, actor, params.volumeId, body, options))
      : accepted(await attachVolume(cp, actor, params.volumeId, body, options)),
});
