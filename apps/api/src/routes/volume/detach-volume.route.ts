import { detachVolume, planVolumeDetachment } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, VmUpdatePlan, VolumeId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const detachVolumeRoute = defineRoute({
  method: 'POST',
  url: '/v1/volumes/:volumeId/detach',
  operationId: 'detachVolume',
  tag: 'volumes',
  summary: 'Detach a volume from its VM',
  description:
    'A guest that runs has to let go of it. The operation is an update of the VM. The volume stays as it is.',
  role: 'operator',
  params: z.object({ volumeId: VolumeId }),
  query: DryRunQuery,
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done to the VM', body: VmUpdatePlan },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, query, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumeDetachment(cp, actor, params.volumeId, options))
      : accepted(await detachVolume(cp, actor, params.volumeId, options)),
});
