import { createVolume, planVolume } from '@kvorum/control-plane';
import { AcceptedOperation, CreateVolumeRequest, DryRunQuery, VolumePlan } from '@kvorum/schema';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createVolumeRoute = defineRoute({
  method: 'POST',
  url: '/v1/volumes',
  operationId: 'createVolume',
  tag: 'volumes',
  summary: 'Create a volume',
  description: 'Empty, from an image, or from a snapshot: linked, sharing what neither changes, or a full copy.',
  role: 'operator',
  query: DryRunQuery,
  body: CreateVolumeRequest,
  example: { name: 'data', poolId: '019a7c3e-5b1d-7000-8000-5f2c0c6b1a01', sizeBytes: 107_374_182_400 },
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'already_exists', 'conflict_state', 'quota_exceeded', 'no_capacity'],
  handler: async ({ cp, actor, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolume(cp, actor, body))
      : accepted(await createVolume(cp, actor, body, options)),
});
