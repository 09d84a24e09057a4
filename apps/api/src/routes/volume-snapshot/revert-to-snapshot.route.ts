import { planRevert, revertToSnapshot } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, VolumePlan, VolumeSnapshotId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const revertToSnapshotRoute = defineRoute({
  method: 'POST',
  url: '/v1/volume-snapshots/:snapshotId/revert',
  operationId: 'revertToSnapshot',
  tag: 'volumes',
  summary: 'Revert a volume to a snapshot',
  description:
    'Content and size of that instant; what was written since is lost, its snapshots are not. Its VM must be stopped.',
  role: 'operator',
  params: z.object({ snapshotId: VolumeSnapshotId }),
  query: DryRunQuery,
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, query, options }) =>
    query.dryRun === 'plan'
      ? planned(await planRevert(cp, actor, params.snapshotId))
      : accepted(await revertToSnapshot(cp, actor, params.snapshotId, options)),
});
