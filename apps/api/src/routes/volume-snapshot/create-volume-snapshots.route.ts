import { createVolumeSnapshots, planVolumeSnapshots } from '@kvorum/control-plane';
import { AcceptedOperation, CreateVolumeSnapshotsRequest, DryRunQuery, VolumePlan } from '@kvorum/schema';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const createVolumeSnapshotsRoute = defineRoute({
  method: 'POST',
  url: '/v1/volume-snapshots',
  operationId: 'createVolumeSnapshots',
  tag: 'volumes',
  summary: 'Take snapshots of volumes',
  description:
    'Of all volumes at one instant, while their VM runs. Without a freeze it is the state after a loss of power. The resource is the set.',
  role: 'operator',
  query: DryRunQuery,
  body: CreateVolumeSnapshotsRequest,
  example: { name: 'before-upgrade', vmId: '019a7c3e-5b1d-7000-8000-5f2c0c6b1a01', freeze: 'auto' },
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'already_exists', 'conflict_state', 'quota_exceeded', 'no_capacity'],
  handler: async ({ cp, actor, query, body, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumeSnapshots(cp, actor, body))
      : accepted(await createVolumeSnapshots(cp, actor, body, options)),
});
