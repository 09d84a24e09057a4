import { growVolume, planVolumeGrowth } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, UpdateVolumeRequest, VolumeId, VolumePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateVolumeRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/volumes/:volumeId',
  operationId: 'updateVolume',
  tag: 'volumes',
  summary: 'Grow a volume',
  description: 'Larger, never smaller. A guest that runs with it sees it at once; its file system is its own to grow.',
  role: 'operator',
  params: z.object({ volumeId: VolumeId }),
  query: DryRunQuery,
  body: UpdateVolumeRequest,
  example: { sizeBytes: 214_748_364_800 },
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'conflict_state', 'in_use', 'quota_exceeded', 'no_capacity'],
  handler: async ({ cp, actor, params, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumeGrowth(cp, actor, params.volumeId, body, options))
      : accepted(await growVolume(cp, actor, params.volumeId, body, options)),
});
