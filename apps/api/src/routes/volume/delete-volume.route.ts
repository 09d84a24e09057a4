import { deleteVolume, planVolumeDeletion } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, VolumeId, VolumePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteVolumeRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/volumes/:volumeId',
  operationId: 'deleteVolume',
  tag: 'volumes',
  summary: 'Delete a volume',
  description:
    'Into the trash of its pool, with its snapshots; from there it can be restored until it is purged. It still counts.',
  role: 'operator',
  params: z.object({ volumeId: VolumeId }),
  query: DryRunQuery,
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'conflict_state', 'in_use'],
  handler: async ({ cp, actor, params, query, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumeDeletion(cp, actor, params.volumeId, options))
      : accepted(await deleteVolume(cp, actor, params.volumeId, options)),
});
