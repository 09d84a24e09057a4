import { planVolumePurge, purgeVolume } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, VolumeId, VolumePlan } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const purgeVolumeRoute = defineRoute({
  method: 'POST',
  url: '/v1/volumes/:volumeId/purge',
  operationId: 'purgeVolume',
  tag: 'volumes',
  summary: 'Purge a volume',
  description: 'Out of the trash for good. What linked clones rest on stays, and counts, until they are gone.',
  role: 'operator',
  params: z.object({ volumeId: VolumeId }),
  query: DryRunQuery,
  honours: ['idempotency-key', 'if-match'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'conflict_state', 'in_use'],
  handler: async ({ cp, actor, params, query, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumePurge(cp, actor, params.volumeId, options))
      : accepted(await purgeVolume(cp, actor, params.volumeId, options)),
});
